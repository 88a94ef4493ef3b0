//! What one network takes over from another: the encoder, and the decoder where there is one of the same form.
//!
//! | weights | encoder | decoder |
//! |---|---|---|
//! | depth, inpainting, segmentation | yes | yes |
//! | flow (its decoder takes two pictures' features in), contrastive (it has none) | yes | no |
//! | torchvision's ResNets | yes | no |
//!
//! Running statistics of the batch norms come along.

use std::path::Path;

use burn::module::Module;
use burn::tensor::Device;

use crate::contrastive::ContrastiveNetwork;
use crate::decoder::Decoder;
use crate::depth::DepthNetwork;
use crate::encoder::Encoder;
use crate::error::{ModelError, Result};
use crate::flow::FlowNetwork;
use crate::inpainting::InpaintingNetwork;
use crate::layers::{Builder, blended};
use crate::network::Network;
use crate::weights::{WeightsHeader, load_beginning};

/// Encoder and, where there is one, decoder.
#[derive(Module, Debug)]
pub struct Backbone {
    /// Picture to features.
    pub encoder: Encoder,
    /// Features to levels.
    pub decoder: Option<Decoder>,
    #[module(skip)]
    network: Network,
}

impl Backbone {
    /// A fresh encoder and, if asked for, a fresh decoder, to be filled with weights.
    fn new(network: Network, with_decoder: bool, device: &Device) -> Self {
        let mut builder = Builder::new("backbone", 0, device);
        let encoder = network.encoder().init(&mut builder);
        let decoder = with_decoder.then(|| network.decoder().init(network.encoder().channels(), &mut builder));
        Self { encoder, decoder, network }
    }

    /// Reads the backbone of any of our weight files.
    ///
    /// # Errors
    /// [`ModelError::Unreadable`], [`ModelError::Malformed`], [`ModelError::WrongNetwork`], [`ModelError::Mismatch`]
    pub fn load(path: &Path, device: &Device) -> Result<Self> {
        let header = WeightsHeader::read(path)?;
        let with_decoder = match header.part.as_str() {
            "depth" | "inpainting" | "segmentation" => true,
            "flow" | "contrastive" => false,
            part => {
                let (found, expected) = (format!("a {part} network's weights"), "a network's with an encoder".into());
                return Err(ModelError::WrongNetwork { found, expected, path: path.into() });
            }
        };
        load_beginning(Self::new(header.network, with_decoder, device), &["encoder.", "decoder."], path)
    }

    /// Reads torchvision's ImageNet weights (`.pth` or `.safetensors`) for the encoder.
    ///
    /// # Errors
    /// [`ModelError::NoTorchvisionWeights`] for a network that torchvision does not have; else as
    /// [`Encoder::with_torchvision_weights`].
    pub fn from_torchvision(network: Network, path: &Path, device: &Device) -> Result<Self> {
        if network == Network::Slim {
            return Err(ModelError::NoTorchvisionWeights(network.to_string()));
        }
        let fresh = Self::new(network, false, device);
        Ok(Self { encoder: fresh.encoder.with_torchvision_weights(path)?, ..fresh })
    }

    /// Which network this is of.
    pub fn network(&self) -> Network {
        self.network
    }

    fn check_network(&self, expected: Network) -> Result<()> {
        if self.network == expected {
            return Ok(());
        }
        Err(ModelError::OtherNetwork { found: self.network.to_string(), expected: expected.to_string() })
    }

    fn decoder_for(&self, decoder: Decoder) -> Decoder {
        match &self.decoder {
            Some(own) => blended(decoder, own, 1.0),
            None => decoder,
        }
    }
}

impl DepthNetwork {
    /// Takes over the encoder and, where there is one, the decoder; disparity is predicted by what was there.
    ///
    /// # Errors
    /// [`ModelError::OtherNetwork`]
    pub fn with_backbone(mut self, backbone: &Backbone) -> Result<Self> {
        backbone.check_network(self.network())?;
        self.encoder = blended(self.encoder, &backbone.encoder, 1.0);
        self.decoder = backbone.decoder_for(self.decoder);
        Ok(self)
    }
}

impl InpaintingNetwork {
    /// Takes over the encoder and, where there is one, the decoder.
    ///
    /// # Errors
    /// [`ModelError::OtherNetwork`]
    pub fn with_backbone(mut self, backbone: &Backbone) -> Result<Self> {
        backbone.check_network(self.network())?;
        self.encoder = blended(self.encoder, &backbone.encoder, 1.0);
        self.decoder = backbone.decoder_for(self.decoder);
        Ok(self)
    }
}

impl FlowNetwork {
    /// Takes over the encoder; a decoder of one picture does not fit.
    ///
    /// # Errors
    /// [`ModelError::OtherNetwork`]
    pub fn with_backbone(mut self, backbone: &Backbone) -> Result<Self> {
        backbone.check_network(self.network())?;
        self.encoder = blended(self.encoder, &backbone.encoder, 1.0);
        Ok(self)
    }
}

impl ContrastiveNetwork {
    /// Takes over the encoder.
    ///
    /// # Errors
    /// [`ModelError::OtherNetwork`]
    pub fn with_backbone(mut self, backbone: &Backbone) -> Result<Self> {
        backbone.check_network(self.network())?;
        self.encoder = blended(self.encoder, &backbone.encoder, 1.0);
        Ok(self)
    }
}
