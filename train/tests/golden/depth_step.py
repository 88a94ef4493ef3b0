"""Golden values of depth pre-training: three Adam steps of a small network in PyTorch.

Writes depth_step.json beside itself. Everything is made from formulas, so that the test makes the same input:
pictures, weights, cameras. The loss is written from the papers:
Godard et al., Digging into Self-Supervised Monocular Depth Estimation, ICCV 2019; Wang et al., IEEE TIP 2004 (SSIM).

    python depth_step.py        # needs torch and numpy
"""

import json
import pathlib

import numpy as np
import torch
import torch.nn.functional as F

BATCH, HEIGHT, WIDTH = 2, 32, 64
STEPS, LEARNING_RATE = 3, 1e-3


def picture(shift, phase):
    b = torch.arange(BATCH).view(BATCH, 1, 1, 1)
    c = torch.arange(3).view(1, 3, 1, 1)
    y = torch.arange(HEIGHT).view(1, 1, HEIGHT, 1)
    x = torch.arange(WIDTH).view(1, 1, 1, WIDTH) + shift
    return (0.5 + 0.4 * torch.sin(0.31 * x + 0.7 * c + 0.5 * b + phase) * torch.cos(0.23 * y - 0.4 * c + 0.05 * x)).float()


def weight(shape, scale, phase):
    count = int(np.prod(shape))
    values = scale * np.sin(1.7 * np.arange(count, dtype=np.float64) + phase)
    return torch.tensor(values.astype(np.float32).reshape(shape), requires_grad=True)


def parameters():
    return {
        "features": weight((8, 3, 3, 3), 0.3, 0.1),
        "disparity0": weight((1, 8, 3, 3), 0.2, 0.2),
        "disparity1": weight((1, 8, 3, 3), 0.2, 0.3),
        "disparity2": weight((1, 8, 3, 3), 0.2, 0.4),
        "disparity3": weight((1, 8, 3, 3), 0.2, 0.5),
        "motion": weight((6, 6, 3, 3), 0.3, 0.6),
        "pose": weight((6, 6, 1, 1), 0.5, 0.7),
    }


def disparities(p, image):
    features = F.relu(F.conv2d(image, p["features"], padding=1))
    maps = []
    for scale in range(4):
        small = F.avg_pool2d(features, 2**scale) if scale else features
        maps.append(torch.sigmoid(F.conv2d(small, p[f"disparity{scale}"], padding=1) - 2.5))
    return maps


def pose(p, first, second):
    hidden = F.relu(F.conv2d(torch.cat([first, second], 1), p["motion"], padding=1))
    return 0.01 * F.conv2d(hidden, p["pose"]).mean((2, 3))


def rotation_matrix(w):
    """exp of the cross-product matrix, by its series' closed form (Rodrigues)."""
    angle = torch.sqrt((w * w).sum(1) + 1e-8).view(-1, 1, 1)
    zero = torch.zeros_like(w[:, 0])
    cross = torch.stack([zero, -w[:, 2], w[:, 1], w[:, 2], zero, -w[:, 0], -w[:, 1], w[:, 0], zero], 1).view(-1, 3, 3)
    identity = torch.eye(3).unsqueeze(0)
    return identity + torch.sin(angle) / angle * cross + (1 - torch.cos(angle)) / angle**2 * (cross @ cross)


def warp(image, depth, k, rotation, translation):
    v, u = torch.meshgrid(torch.arange(HEIGHT), torch.arange(WIDTH), indexing="ij")
    pixels = torch.stack([u, v, torch.ones_like(u)], 0).float().view(1, 3, -1)
    points = torch.linalg.inv(k) @ pixels * depth.view(BATCH, 1, -1)
    seen = k @ (rotation @ points + translation.view(BATCH, 3, 1))
    uv = seen[:, :2] / seen[:, 2:].clamp(min=1e-3)
    grid = uv.view(BATCH, 2, HEIGHT, WIDTH).permute(0, 2, 3, 1)
    grid = grid / torch.tensor([WIDTH - 1, HEIGHT - 1]) * 2 - 1
    return F.grid_sample(image, grid, mode="bilinear", padding_mode="border", align_corners=True)


def mean3(image):
    return F.avg_pool2d(F.pad(image, (1, 1, 1, 1), mode="reflect"), 3, 1)


def photometric(x, y):
    mx, my = mean3(x), mean3(y)
    vx, vy, cov = mean3(x * x) - mx**2, mean3(y * y) - my**2, mean3(x * y) - mx * my
    c1, c2 = 0.01**2, 0.03**2
    ssim = (2 * mx * my + c1) * (2 * cov + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2))
    return (0.85 * ((1 - ssim) / 2).clamp(0, 1) + 0.15 * (x - y).abs()).mean(1, keepdim=True)


def smoothness(disparity, image):
    d = disparity / (disparity.mean((2, 3), keepdim=True) + 1e-7)

    def along(dim):
        def steps(t):
            return torch.diff(t, dim=dim).abs()

        return (steps(d) * torch.exp(-steps(image).mean(1, keepdim=True))).mean()

    return along(3) + along(2)


def noise():
    mask = (1 << 64) - 1
    values = []
    for pixel in range(BATCH * HEIGHT * WIDTH):
        bits = (pixel + 1) * 0x9E3779B97F4A7C15 & mask
        bits = (bits ^ bits >> 30) * 0xBF58476D1CE4E5B9 & mask
        bits = (bits ^ bits >> 27) * 0x94D049BB133111EB & mask
        values.append(1e-5 * (bits >> 40) / (1 << 24))
    return torch.tensor(values).view(BATCH, 1, HEIGHT, WIDTH)


def loss_parts(p, frames, k, tie_break):
    target = frames["target"]
    maps = disparities(p, target)
    from_earlier = pose(p, frames["earlier"], target)
    to_later = pose(p, target, frames["later"])
    back = rotation_matrix(from_earlier[:, :3]).transpose(1, 2)
    stereo = torch.tensor([[-0.1, 0.0, 0.0], [0.1, 0.0, 0.0]])
    same = torch.eye(3).expand(BATCH, 3, 3)
    terms = {
        "video": [
            ("earlier", back, -(back @ from_earlier[:, 3:].unsqueeze(2)).squeeze(2)),
            ("later", rotation_matrix(to_later[:, :3]), to_later[:, 3:]),
        ],
        "stereo": [("other", same, stereo)],
    }
    parts = {"video": 0.0, "stereo": 0.0, "smoothness": 0.0}
    for scale, disparity in enumerate(maps):
        large = F.interpolate(disparity, (HEIGHT, WIDTH), mode="bilinear", align_corners=False)
        depth = 1 / (0.01 + (10 - 0.01) * large)
        for name, sources in terms.items():
            unwarped = torch.cat([photometric(target, frames[s]) for s, _, _ in sources], 1).min(1, keepdim=True)[0]
            warped = [photometric(target, warp(frames[s], depth, k, r, t)) for s, r, t in sources]
            best = torch.cat([*warped, unwarped + tie_break], 1).min(1)[0]
            parts[name] = parts[name] + best.mean() / 4
        image = F.avg_pool2d(target, 2**scale) if scale else target
        parts["smoothness"] = parts["smoothness"] + 1e-3 / 2**scale * smoothness(disparity, image) / 4
    return parts


def main():
    torch.set_num_threads(1)
    p = parameters()
    frames = {
        "target": picture(0.0, 0.0),
        "earlier": picture(-0.8, 0.02),
        "later": picture(0.9, -0.02),
        "other": picture(2.0, 0.01),
    }
    k = torch.tensor([[50.0, 0.0, 31.0], [0.0, 52.0, 15.5], [0.0, 0.0, 1.0]])
    tie_break = noise()
    optimizer = torch.optim.Adam(p.values(), lr=LEARNING_RATE)
    losses, first_gradients = [], {}
    for step in range(STEPS):
        parts = loss_parts(p, frames, k, tie_break)
        optimizer.zero_grad()
        sum(parts.values()).backward()
        if step == 0:
            first_gradients = {name: value.grad.flatten().tolist() for name, value in p.items()}
        optimizer.step()
        losses.append({name: float(value) for name, value in parts.items()})
    golden = {
        "made_with": f"torch {torch.__version__}",
        "losses": losses,
        "first_gradients": first_gradients,
        "weights_after": {name: value.detach().flatten().tolist() for name, value in p.items()},
    }
    path = pathlib.Path(__file__).with_suffix(".json")
    path.write_text(json.dumps(golden, indent=None) + "\n")
    print(path, losses)


if __name__ == "__main__":
    main()
