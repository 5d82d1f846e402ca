"""PyTorch's side of networks.py: the same networks and losses, as a careful user writes them.

One pass of the discriminator for reals and fakes where no batch normalization tells them apart,
fused Adam, no synchronisation inside a step; on a GPU TF32 and cuDNN's search for the fastest.
Compiled, each loss is one graph with its gradients. `torch.compile` refuses gradients of what
`torch.autograd.grad` returned: there penalties are written with `torch.func`, which it takes.
"""

import argparse
import functools
import math
from typing import Any

import torch
from network_jobs import PRODUCTS, Layer, Prepared, Step, serve
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


class View(nn.Module):
    def __init__(self, *shape: int):
        super().__init__()
        self.shape = shape

    def forward(self, x: Tensor) -> Tensor:
        return x.reshape(len(x), *self.shape)


def dcgan(job: Step) -> tuple[nn.Module, nn.Module]:
    g, d = job.generator, job.discriminator
    generator = nn.Sequential(
        nn.Linear(job.latent, 49 * 2 * g, bias=False),
        View(2 * g, 7, 7),
        nn.BatchNorm2d(2 * g),
        nn.ReLU(),
        nn.ConvTranspose2d(2 * g, g, 4, 2, 1, bias=False),
        nn.BatchNorm2d(g),
        nn.ReLU(),
        nn.ConvTranspose2d(g, job.channels, 4, 2, 1, bias=False),
        nn.Tanh(),
    )
    discriminator = nn.Sequential(
        nn.Conv2d(job.channels, d, 4, 2, 1, bias=False),
        nn.LeakyReLU(0.2),
        nn.Conv2d(d, 2 * d, 4, 2, 1, bias=False),
        nn.BatchNorm2d(2 * d),
        nn.LeakyReLU(0.2),
        nn.Flatten(),
        nn.Linear(49 * 2 * d, 1),
    )
    return generator, discriminator


class UpBlock(nn.Module):
    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.norms = nn.ModuleList([nn.BatchNorm2d(inputs), nn.BatchNorm2d(outputs)])
        self.convs = nn.ModuleList(
            [nn.Conv2d(inputs, outputs, 3, padding=1), nn.Conv2d(outputs, outputs, 3, padding=1)]
        )
        self.shortcut = nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = F.interpolate(F.relu(self.norms[0](x)), scale_factor=2)
        y = self.convs[1](F.relu(self.norms[1](self.convs[0](y))))
        return y + F.interpolate(self.shortcut(x), scale_factor=2)


class DownBlock(nn.Module):
    def __init__(self, inputs: int, outputs: int, *, first: bool, halves: bool):
        super().__init__()
        middle = outputs if first else inputs
        self.first, self.halves = first, halves
        self.convs = nn.ModuleList(
            [
                spectral_norm(nn.Conv2d(inputs, middle, 3, padding=1)),
                spectral_norm(nn.Conv2d(middle, outputs, 3, padding=1)),
            ]
        )
        changes = halves or inputs != outputs
        self.shortcut = spectral_norm(nn.Conv2d(inputs, outputs, 1)) if changes else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        y = self.convs[1](F.relu(self.convs[0](x if self.first else F.relu(x))))
        if self.halves:
            x, y = F.avg_pool2d(x, 2), F.avg_pool2d(y, 2)
        return y + self.shortcut(x)


class Summed(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x).sum((2, 3))


def sngan(job: Step) -> tuple[nn.Module, nn.Module]:
    g, d = 4 * job.generator, 2 * job.discriminator
    generator = nn.Sequential(
        nn.Linear(job.latent, 16 * g),
        View(g, 4, 4),
        *(UpBlock(g, g) for _ in range(3)),
        nn.BatchNorm2d(g),
        nn.ReLU(),
        nn.Conv2d(g, job.channels, 3, padding=1),
        nn.Tanh(),
    )
    discriminator = nn.Sequential(
        DownBlock(job.channels, d, first=True, halves=True),
        DownBlock(d, d, first=False, halves=True),
        DownBlock(d, d, first=False, halves=False),
        DownBlock(d, d, first=False, halves=False),
        Summed(),
        spectral_norm(nn.Linear(d, 1)),
    )
    return generator, discriminator


class GroupedBlock(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        inner = 2 * channels
        self.a = nn.Conv2d(channels, inner, 1)
        self.b = nn.Conv2d(inner, inner, 3, padding=1, groups=inner // 16)
        self.c = nn.Conv2d(inner, channels, 1, bias=False)
        nn.init.zeros_(self.c.weight)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.c(F.leaky_relu(self.b(F.leaky_relu(self.a(x), 0.2)), 0.2))


class Filter(nn.Module):
    def __init__(self, channels: int, *, up: bool):
        super().__init__()
        taps = torch.tensor([1.0, 3.0, 3.0, 1.0])
        kernel = torch.outer(taps, taps) / 64 * (4 if up else 1)
        self.register_buffer("kernel", kernel.expand(channels, 1, 4, 4).contiguous())
        self.up = up

    def forward(self, x: Tensor) -> Tensor:
        resample = F.conv_transpose2d if self.up else F.conv2d
        return resample(x, self.kernel, stride=2, padding=1, groups=x.shape[1])


class Basis(nn.Module):
    def __init__(self, latent: int, channels: int):
        super().__init__()
        self.basis = nn.Parameter(torch.randn(channels, 4, 4))
        self.scale = nn.Linear(latent, channels, bias=False)

    def forward(self, z: Tensor) -> Tensor:
        return self.basis * self.scale(z)[:, :, None, None]


class Filters(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.filters = nn.Parameter(torch.randn(channels, 4, 4) / 4)

    def forward(self, x: Tensor) -> Tensor:
        return (x * self.filters).sum((2, 3))


def r3gan(job: Step) -> tuple[nn.Module, nn.Module]:
    g, d, stages = job.generator, job.discriminator, int(math.log2(job.size // 4))
    up = [layer for _ in range(stages) for layer in (Filter(g, up=True), GroupedBlock(g))]
    down = [layer for _ in range(stages) for layer in (GroupedBlock(d), Filter(d, up=False))]
    generator = nn.Sequential(
        Basis(job.latent, g), GroupedBlock(g), *up, nn.Conv2d(g, job.channels, 1, bias=False)
    )
    discriminator = nn.Sequential(
        nn.Conv2d(job.channels, d, 1, bias=False),
        *down,
        GroupedBlock(d),
        Filters(d),
        nn.Linear(d, 1, bias=False),
    )
    return generator, discriminator


def discriminator_loss(name: str, real: Tensor, fake: Tensor) -> Tensor:
    if name == "relativistic":
        return F.softplus(fake - real).mean()
    if name == "hinge":
        return F.relu(1 - real).mean() + F.relu(1 + fake).mean()
    return F.softplus(-real).mean() + F.softplus(fake).mean()


def generator_loss(name: str, fake: Tensor, real: Tensor | None) -> Tensor:
    if name == "relativistic":
        return F.softplus(real - fake).mean()
    return -fake.mean() if name == "hinge" else F.softplus(-fake).mean()


def step(job: Step, layout: torch.memory_format, compiled: bool) -> Prepared:
    """A step."""
    builder = {"dcgan": dcgan, "sngan": sngan, "r3gan": r3gan}[job.family]
    generator, discriminator = (net.to(DEVICE, memory_format=layout) for net in builder(job))
    counts = [sum(p.numel() for p in net.parameters()) for net in (generator, discriminator)]
    adam = functools.partial(torch.optim.Adam, lr=2e-4, betas=(0.0, 0.99), fused=True)
    generator_adam, discriminator_adam = (
        adam(generator.parameters()),
        adam(discriminator.parameters()),
    )
    shape = (job.batch, job.channels, job.size, job.size)
    reals = torch.rand(shape, device=DEVICE).mul(2).sub(1).contiguous(memory_format=layout)
    average = [parameter.detach().clone() for parameter in generator.parameters()]
    coupled = job.family == "dcgan"
    precision = functools.partial(
        torch.autocast, DEVICE, torch.bfloat16, enabled=job.precision == "bfloat16"
    )

    def fakes() -> Tensor:
        return generator(torch.randn(job.batch, job.latent, device=DEVICE))

    def judged(real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
        if coupled:
            return discriminator(real)[:, 0], discriminator(fake)[:, 0]
        real_logits, fake_logits = discriminator(torch.cat([real, fake]))[:, 0].chunk(2)
        return real_logits, fake_logits

    def of_discriminator() -> Tensor:
        with precision():
            with torch.no_grad():
                images = fakes()
            return discriminator_loss(job.loss, *judged(reals, images))

    def penalized(logits: Tensor, slopes: Tensor) -> Tensor:
        loss = discriminator_loss(job.loss, *logits.chunk(2))
        return loss + job.penalty * slopes.square().sum((1, 2, 3)).mean()  # R1 / 2 + R2 / 2

    def of_discriminator_penalized() -> Tensor:
        with precision():
            with torch.no_grad():
                images = fakes()
            both = torch.cat([reals, images]).requires_grad_()
            logits = discriminator(both)[:, 0]
            (slopes,) = torch.autograd.grad(logits.sum(), both, create_graph=True)
            return penalized(logits, slopes)

    def of_parameters_penalized(parameters: dict[str, Tensor]) -> Tensor:
        def total(images: Tensor) -> tuple[Tensor, Tensor]:
            logits = functional_call(discriminator, parameters, (images,))[:, 0]
            return logits.sum(), logits

        with precision():
            with torch.no_grad():
                images = fakes()
            slopes, logits = torch.func.grad(total, has_aux=True)(torch.cat([reals, images]))
            return penalized(logits, slopes)

    def of_generator() -> Tensor:
        with precision():
            if job.loss == "relativistic":
                real, fake = judged(reals, fakes())
            else:
                real, fake = None, discriminator(fakes())[:, 0]
            return generator_loss(job.loss, fake, real)

    compile_ = functools.partial(torch.compile, dynamic=False) if compiled else lambda loss: loss
    generator_loss_ = compile_(of_generator)
    discriminator_loss_ = compile_(of_discriminator_penalized if job.penalty else of_discriminator)
    gradients = compile_(torch.func.grad(of_parameters_penalized))

    def descend_discriminator() -> None:
        if compiled and job.penalty:
            parameters = dict(discriminator.named_parameters())
            for name, gradient in gradients(parameters).items():
                # The compiler chooses their strides; fused Adam wants those of the parameters.
                parameters[name].grad = torch.empty_like(parameters[name]).copy_(gradient)
        else:
            discriminator_adam.zero_grad()
            discriminator_loss_().backward()
        discriminator_adam.step()

    def run() -> None:
        descend_discriminator()
        discriminator.requires_grad_(False)
        generator_adam.zero_grad()
        generator_loss_().backward()
        generator_adam.step()
        discriminator.requires_grad_(True)
        torch._foreach_lerp_(average, list(generator.parameters()), 0.001)

    return Prepared({"step": run}, synchronize, counts)


def layer(job: Layer, layout: torch.memory_format) -> Prepared:
    """The three products, and the gradient of a penalty on the input's gradient."""
    x = torch.randn(job.batch, job.inputs, job.size, job.size, device=DEVICE)
    shape = (job.outputs, job.inputs // job.groups, job.kernel, job.kernel)
    kernel = torch.randn(shape, device=DEVICE).contiguous(memory_format=layout)
    x = x.contiguous(memory_format=layout)
    padding = job.kernel // 2 if job.stride == 1 else (job.kernel - 1) // 2
    forward = functools.partial(F.conv2d, stride=job.stride, padding=padding, groups=job.groups)
    y = torch.randn_like(forward(x, kernel))

    def back(which: list[bool]) -> None:
        torch.ops.aten.convolution_backward(
            y,
            x,
            kernel,
            None,
            [job.stride] * 2,
            [padding] * 2,
            [1, 1],
            False,
            [0, 0],
            job.groups,
            which,
        )

    def second() -> None:
        a, w = x.detach().requires_grad_(), kernel.detach().requires_grad_()
        value = (forward(a, w).square() * y).sum()
        (gradient,) = torch.autograd.grad(value, a, create_graph=True)
        gradient.square().sum().backward(inputs=[w])

    def without_graph() -> None:
        with torch.no_grad():
            forward(x, kernel)

    programs = (
        without_graph,
        lambda: back([True, False, False]),
        lambda: back([False, True, False]),
        second,
    )
    return Prepared(dict(zip(PRODUCTS, programs, strict=True)), synchronize)


def synchronize(_: Any) -> None:
    """Waits for the GPU, where there is one."""
    if DEVICE == "cuda":
        torch.cuda.synchronize()


def main() -> None:
    """Serves."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--channels_last", action="store_true")
    parser.add_argument("--compile", action="store_true")
    arguments = parser.parse_args()
    torch.manual_seed(0)
    torch.set_float32_matmul_precision("high")
    torch.backends.cudnn.allow_tf32 = torch.backends.cudnn.benchmark = True
    layout = torch.channels_last if arguments.channels_last else torch.contiguous_format

    def prepare(what: str, job: list[Any]) -> Prepared:
        if what == "steps":
            return step(Step(*job), layout, arguments.compile)
        return layer(Layer(*job), layout)

    device = torch.cuda.get_device_name() if DEVICE == "cuda" else "cpu"
    serve({"versions": {"torch": torch.__version__}, "device": device}, prepare)


if __name__ == "__main__":
    main()
