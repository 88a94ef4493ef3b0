//! The query network, which learns, and the keys, which follow it.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use parallax_models::{ContrastiveNetwork, Keys};

use crate::Error;

/// The file of the query network in a run folder.
const QUERY_FILE: &str = "model.safetensors";

/// The file of the momentum network and the queue.
const KEYS_FILE: &str = "keys.safetensors";

/// What contrastive pre-training trains and keeps.
#[derive(Module, Debug)]
pub struct ContrastiveModel {
    /// The network that learns.
    pub query: ContrastiveNetwork,
    #[module(skip)]
    keys: FollowingKeys,
}

/// Keys that the forward pass changes and the optimizer does not see, like the running statistics of a batch norm. A clone
/// has its own.
#[derive(Debug)]
struct FollowingKeys(Mutex<Keys>);

impl FollowingKeys {
    fn lock(&self) -> MutexGuard<'_, Keys> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clone for FollowingKeys {
    fn clone(&self) -> Self {
        Self(Mutex::new(self.lock().clone()))
    }
}

impl ContrastiveModel {
    /// A query network with a momentum network that is its copy, and a queue of zeros.
    #[must_use]
    pub fn new(query: ContrastiveNetwork, queue: usize, device: &Device) -> Self {
        let keys = Keys::of(&query, queue, device);
        Self { query, keys: FollowingKeys(Mutex::new(keys)) }
    }

    /// The momentum update: the momentum network goes `1 - momentum` of the way to the query network. Gives the queue as it
    /// is now, `[length, 128]`.
    pub fn follow(&self, momentum: f32) -> Tensor<2> {
        let mut keys = self.keys.lock();
        *keys = keys.clone().following(&self.query, momentum);
        keys.queue.val()
    }

    /// Makes the keys of views, without gradients, and puts them into the queue in place of the oldest.
    ///
    /// # Shapes
    /// - `views`: `[batch, 3, height, width]`, on a device without autodiff
    /// - result: `[batch, 128]`
    pub fn enqueue(&self, views: Tensor<4>) -> Tensor<2> {
        let mut keys = self.keys.lock();
        let made = keys.network.forward(views);
        let length = keys.queue.val().dims()[0];
        let fitting = made.clone().narrow(0, 0, made.dims()[0].min(length));
        *keys = keys.clone().with_keys(fitting);
        made
    }

    /// Writes networks and queue into a folder.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn save(&self, folder: &Path) -> Result<(), Error> {
        self.query.save(&folder.join(QUERY_FILE))?;
        Ok(self.keys.lock().save(&folder.join(KEYS_FILE))?)
    }

    /// Reads what [`ContrastiveModel::save`] wrote; the queue must hold `queue` keys.
    ///
    /// # Errors
    /// When a file is missing or does not fit.
    pub fn load(folder: &Path, queue: usize, device: &Device) -> Result<Self, Error> {
        let query = ContrastiveNetwork::load(&folder.join(QUERY_FILE), device)?;
        let keys = Keys::load(&folder.join(KEYS_FILE), queue, &device.clone().inner())?;
        Ok(Self { query, keys: FollowingKeys(Mutex::new(keys)) })
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Distribution;
    use parallax_models::Network;

    use super::*;

    fn weight(network: &ContrastiveNetwork) -> f32 {
        network.encoder.conv1.weight.val().into_data().try_to_vec::<f32>().unwrap()[0]
    }

    #[test]
    fn the_momentum_network_follows_slowly_and_the_query_network_is_left_alone() {
        let device = Device::flex().autodiff();
        let model = ContrastiveModel::new(Network::Slim.contrastive(1, &device), 4, &device);
        let start = weight(&model.query);
        let other = ContrastiveModel { query: Network::Slim.contrastive(2, &device), ..model.clone() };
        let goal = weight(&other.query);
        other.follow(0.9);
        other.follow(0.9);
        let expected = goal + 0.81 * (start - goal);
        assert!((weight(&other.keys.lock().network) - expected).abs() < 1e-6);
        assert_eq!(weight(&other.query), goal);
        assert_eq!(weight(&model.keys.lock().network), start, "a clone has its own");
    }

    #[test]
    fn saving_and_loading_keeps_both_networks_and_the_queue() {
        let device = Device::flex().autodiff();
        let folder = tempfile::tempdir().unwrap();
        let model = ContrastiveModel::new(Network::Slim.contrastive(1, &device), 4, &device);
        let views = Tensor::random([3, 3, 32, 64], Distribution::Default, &device.clone().inner());
        model.enqueue(views.clone());
        model.save(folder.path()).unwrap();
        let read = ContrastiveModel::load(folder.path(), 4, &device).unwrap();
        let queue = |model: &ContrastiveModel| model.follow(1.0).into_data().try_to_vec::<f32>().unwrap();
        assert_eq!(queue(&read), queue(&model));
        assert!(queue(&read)[..128].iter().all(|value| *value == 0.0), "the fourth place was never filled");
        let keys = |model: &ContrastiveModel| model.enqueue(views.clone()).into_data().try_to_vec::<f32>().unwrap();
        assert_eq!(keys(&read), keys(&model));
        let Err(error) = ContrastiveModel::load(folder.path(), 5, &device) else { panic!("another length") };
        assert!(error.to_string().contains("queue"), "{error}");
    }
}
