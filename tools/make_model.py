"""Train the small Llama of the plays that runs in the reader's browser, and store it in 8 bits.

python -m tools.make_model

About ten minutes on one core. Each row of a matrix is kept as whole numbers −127…127 and one
factor, and the loss before and after this rounding is printed. Other hardware rounds sums in
another order and gets other weights of the same quality; the file is what the book uses.
"""

import json

import torch
from safetensors.torch import save_file
from torch.nn.functional import cross_entropy
from torch.optim import AdamW, Muon
from torch.optim.lr_scheduler import LambdaLR

from helpers.assets import FILES
from helpers.data import shakespeare
from helpers.language import Characters, random_windows, window_loss
from helpers.models.transformer import Llama
from helpers.progress import progress

SETTINGS = {
    "context": 128, "hidden_dim": 96, "n_layers": 4, "n_heads": 4, "n_kv_heads": 2, "mlp_dim": 256,
}  # fmt: skip
STEPS, BATCH_SIZE = 4000, 16


def main() -> None:
    torch.manual_seed(0)
    plays = shakespeare()
    letters = Characters(plays.train + plays.validation + plays.test)
    settings = {"vocab_size": len(letters), **SETTINGS}
    model = Llama(**settings)
    train(model, letters.encode(plays.train))
    validation = letters.encode(plays.validation)
    print(f"validation loss: {window_loss(model, validation, 128):.3f} nats per character")
    stored = rounded(model)
    model.load_state_dict({name: restored(stored, name) for name in model.state_dict()})
    print(f"after rounding: {window_loss(model, validation, 128):.3f}")
    words = {"settings": json.dumps(settings), "characters": letters.characters}
    save_file(stored, FILES / "play_model.safetensors", metadata=words)


def train(model: Llama, ids: torch.Tensor) -> None:
    """Muon for the matrices, AdamW for embedding and norms; the rate falls over the last half."""
    matrices = [w for name, w in model.named_parameters() if w.ndim == 2 and "embed" not in name]
    rest = [w for name, w in model.named_parameters() if w.ndim == 1 or "embed" in name]
    optimizers = [Muon(matrices, lr=0.02, weight_decay=0.1), AdamW(rest, lr=3e-3, weight_decay=0)]
    schedules = [LambdaLR(o, lambda step: min(1, 2 - 2 * step / STEPS)) for o in optimizers]
    generator = torch.Generator().manual_seed(0)
    line = progress(range(STEPS), "training the model of the plays")
    for _ in line:
        inputs, targets = random_windows(ids, model.context, BATCH_SIZE, generator)
        loss = cross_entropy(model(inputs).flatten(0, 1), targets.flatten())
        loss.backward()
        for part in (*optimizers, *schedules):
            part.step()
        model.zero_grad()
        line.set_postfix_str(f"loss {loss.item():.3f}", refresh=False)


def rounded(model: Llama) -> dict[str, torch.Tensor]:
    """Matrices as int8 and one factor per row; vectors as they are."""
    stored = {}
    for name, weight in model.state_dict().items():
        if weight.ndim == 2:
            factor = weight.abs().amax(dim=1, keepdim=True) / 127
            stored[f"{name}.factor"] = factor
            weight = (weight / factor).round().to(torch.int8)
        stored[name] = weight.contiguous()
    return stored


def restored(stored: dict[str, torch.Tensor], name: str) -> torch.Tensor:
    factor = stored.get(f"{name}.factor", torch.ones(1))
    return stored[name].float() * factor


if __name__ == "__main__":
    main()
