"""Can the tests turn red? Break the project in one line, run the test that should notice, repeat.

`make mutants` works in a copy of the tree and never touches yours. It fails if a test stays green.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from tools.address import tracked_files

ROOT = Path(__file__).parent.parent


class Mutant(NamedTuple):
    """In `file`, `old` becomes `new`; then `test` must fail."""

    what: str
    file: str
    old: str
    new: str
    test: str


CHAPTER = "book/03_convolution.ipynb"
NBVAL = f"--nbval-lax --nbval-current-env {CHAPTER}"
ARITHMETIC = "tests/browser/test_explorable_arithmetic.py"

MUTANTS = [
    Mutant("the kernel slides one row too far", CHAPTER,
           "image[r : r + k, c : c + k]", "image[r + 1 : r + 1 + k, c : c + k]", NBVAL),
    Mutant("the bias is dropped by hand", CHAPTER,
           ").sum() + bias\\n", ").sum()\\n", NBVAL),
    Mutant("a number in prose is mistyped", CHAPTER,
           "Of its 693,962 parameters", "Of its 693,926 parameters",
           "tests/test_chapters.py -k numbers_in_prose"),
    Mutant("the gradient for the input is not flipped", CHAPTER,
           "weight.flip(2, 3) if flip else weight", "weight", NBVAL),
    Mutant("the receptive field forgets the dilation", CHAPTER,
           "field += (k - 1) * dilation * jump", "field += (k - 1) * jump", NBVAL),
    Mutant("the Fourier way flips the kernel", "helpers/convolution.py",
           "s=(height, width)).conj()", "s=(height, width))", "tests/test_convolution.py"),
    Mutant("the matrix product mixes the groups", "helpers/convolution.py",
           "weight.reshape(groups, out_channels // groups, -1)",
           "weight.reshape(out_channels // groups, groups, -1).transpose(0, 1)",
           "tests/test_convolution.py"),
    Mutant("a frame's kernels are drawn in wrong places", "helpers/plotting.py",
           "i % columns * (width + 1)", "i % (columns + 1) * (width + 1)",
           "tests/test_plotting.py -k tile"),
    Mutant("the chapter's network and the helpers' part ways", CHAPTER,
           "self.hidden(features).relu()", "self.hidden(features).tanh()",
           "tests/test_package.py -k what_a_chapter_builds"),
    Mutant("the network's convolution has no bias", "helpers/models/cnn.py",
           "kernel_size=3)", "kernel_size=3, bias=False)", "tests/test_models.py"),
    Mutant("gradients pile up over the steps", "helpers/runs.py",
           "self.optimizer.zero_grad()", "pass", "tests/test_training.py"),
    Mutant("training never shuffles", "helpers/runs.py",
           "torch.randperm(n, generator=self.generator)", "torch.arange(n)",
           "tests/test_training.py"),
    Mutant("a rule of ours cannot go on from a checkpoint", "helpers/optim.py",
           ' - {"differentiable"}', "", "tests/test_optim.py -k survives"),
    Mutant("a checkpoint may run code", "helpers/checkpoints.py",
           'map_location="cpu", weights_only=True', 'map_location="cpu", weights_only=False',
           "tests/test_checkpoints.py -k code"),
    Mutant("dropout goes on with other random numbers", "helpers/runs.py",
           'torch.set_rng_state(state["torch_random"])', "pass",
           "tests/test_resume.py -k killed"),
    Mutant("patience lasts an epoch too long", "helpers/runs.py",
           "waited >= self.patience", "waited > self.patience",
           "tests/test_training.py -k patience"),
    Mutant("the fast network loses a ReLU", "benchmarks/_fast_cnn.py",
           "features.relu()", "features", "tests/test_article_program.py -k computes"),
    Mutant("Adam in the race is corrected once and for all", "helpers/widgets/_surfaces.js",
           "/ (1 - beta ** t)", "/ (1 - beta)", f"{ARITHMETIC} -k optimizer_race"),
    Mutant("a dead unit learns in the composer", "helpers/widgets/_schedule_run.js",
           "below[i] > 0 ? slope : 0", "slope", f"{ARITHMETIC} -k schedule_composer"),
    Mutant("the game shows what was not measured", "helpers/widgets/diagnosis_game.js",
           'value.textContent = known ? run.instruments[name] : "";',
           "value.textContent = run.instruments[name];", f"{ARITHMETIC} -k diagnosis_game"),
    Mutant("a check overlooks summed losses", "helpers/checks/ch12.py",
           "if loss_fn.most > 1:", "if loss_fn.most > 9:", "tests/test_exercises.py"),
    Mutant("accuracy takes the smallest logit", "helpers/evaluation.py",
           "logits.argmax(dim=1)", "logits.argmin(dim=1)", "tests/test_evaluation.py"),
    Mutant("the band is twice as wide as said", "helpers/evaluation.py",
           "mean - 4 * spread, mean + 4 * spread", "mean - 8 * spread, mean + 8 * spread",
           "tests/test_evaluation.py"),
    Mutant("a value outside its band passes", "helpers/evaluation.py",
           "if low <= value <= high:", "if True:", "tests/test_evaluation.py"),
    Mutant("the check calls every answer right", "helpers/exercises.py",
           "if failed is None:", "if True:", "tests/test_exercises.py"),
    Mutant("a hint names the wrong mistake", "helpers/checks/ch03.py",
           '{**c, "groups": 1}', '{**c, "kernel": 1}', "tests/test_exercises.py"),
    Mutant("a damaged embedded file is used", "helpers/assets.py",
           "hashlib.sha256(path.read_bytes()).hexdigest() == known[name]", "True",
           "tests/test_assets.py"),
    Mutant("a download of the wrong bytes is kept", "helpers/assets.py",
           "pooch.retrieve(source, asset.sha256,", "pooch.retrieve(source, None,",
           "tests/test_assets.py"),
    Mutant("validation images are training images", "helpers/data.py",
           'file["validation_images"]', 'file["train_images"][:2500]', "tests/test_data.py"),
    Mutant("the browser's sum is off by one row", "helpers/widgets/kernel_lab.js",
           "const from = (row + i) * width + j", "const from = (row + i + 1) * width + j",
           f"{ARITHMETIC} -k kernel_lab"),
    Mutant("the browser forgets the bias", "helpers/widgets/kernel_lab.js",
           ".fill(bias)", ".fill(0)", f"{ARITHMETIC} -k kernel_lab"),
    Mutant("dilation is ignored in the receptive field", "helpers/widgets/receptive_field.js",
           "size += (kernel - 1) * dilation * jump;", "size += (kernel - 1) * jump;",
           f"{ARITHMETIC} -k receptive_field"),
    Mutant("Python's path counts forget the dilation", "helpers/widgets/receptive_field.py",
           "+ tap * dilation] += above", "+ tap] += above", "tests/test_receptive_field.py"),
    Mutant("broadcasting aligns shapes at the left", "helpers/widgets/broadcasting.js",
           "index[i + index.length - shape.length]", "index[i]", f"{ARITHMETIC} -k broadcasting"),
    Mutant("a summed axis is never kept", "helpers/widgets/broadcasting.js",
           ".filter((i) => keepdim || !axes.includes(i))", ".filter((i) => !axes.includes(i))",
           f"{ARITHMETIC} -k broadcasting"),
    Mutant("the start page links a chapter that is not there", "book/path.svg",
           'href="03_convolution.html"', 'href="03_convolutions.html"', "tests/test_pages.py"),
    Mutant("the install page names a setting that make does not know", "book/install.md",
           "make lab TORCH_INDEX", "make lab TORCH_URL", "tests/test_pages.py"),
    Mutant("dilation is ignored under the window", "helpers/widgets/sliding_window.js",
           "position * stride - padding + i * dilation", "position * stride - padding + i",
           f"{ARITHMETIC} -k sliding_window"),
    Mutant("cells are counted as touched beside the window", "helpers/widgets/sliding_window.py",
           "count[self._touched(position) + self.padding] += 1",
           "count[self._touched(position)] += 1", "tests/test_sliding_window.py"),
    Mutant("an explorable has no case file", "tests/browser/cases/frame_player.py",
           "def arithmetic", "def arithmetics", ARITHMETIC),
    Mutant("a change in helpers/ runs nothing again", "tools/execute.py",
           "*sorted(files)", "*sorted(files)[:0]", "tests/test_build.py -k a_change_runs"),
    Mutant("a second build after a failure passes", "tools/build.py",
           'shutil.rmtree(output / "_build/.doctrees", ignore_errors=True)', "pass",
           "tests/test_build.py -k fails_the_build_twice"),
    Mutant("chapters may use the network", "tools/offline/sitecustomize.py",
           "socket.getaddrinfo = getaddrinfo", "pass", "tests/test_build.py -k network"),
    Mutant("any folder called helpers is taken for ours", "tools/template.ipynb",
           "sys.path.insert(0, str(place))", "sys.path.append(str(place))",
           "tests/test_setup_cell.py -k own_folder"),
    Mutant("on Colab a package may replace torch", "helpers/__init__.py",
           ', "-c", "/dev/stdin"', "", "tests/test_setup.py -k never_replaces"),
    Mutant("the address changes in some places only", "tools/address.py",
           "zip(forms(old), forms(new), strict=True)",
           "list(zip(forms(old), forms(new), strict=True))[:1]",
           "tests/test_repository.py -k one_command"),
    Mutant("spam and ham change places", "helpers/data.py",
           'label == "spam" for', 'label == "ham" for', "tests/test_data.py -k spam"),
    Mutant("a text that is no UTF-8 is read all the same", "helpers/data.py",
           'content.decode("utf-8")', 'content.decode("utf-8", "replace")',
           "tests/test_data.py -k utf_8"),
    Mutant("a mirror of the model hub is not asked", "helpers/sources.py",
           'return (os.environ.get("HF_ENDPOINT") or HUB).rstrip("/") + source.removeprefix(HUB)',
           "return source", "tests/test_assets.py -k mirror"),
    Mutant("a teacher's fetch fails and says it did not", "helpers/assets.py",
           "return 1 if failed else 0", "return 0", "tests/test_assets.py -k goes_on"),
    Mutant("the two spellings are cut at different speeches", "tools/make_texts.py",
           "zip(*cuts, strict=True), strict=True", "[next(zip(*cuts))] * 2, strict=True",
           "tests/test_make_files.py -k same_speech"),
    Mutant("the page on data may say something else than the code", "tools/make_files.py",
           'or path.read_text(encoding="utf-8") != text', "or False",
           "tests/test_make_files.py -k red"),
    Mutant("the augmentation lab turns about a place half a pixel off",
           "helpers/widgets/_augmentation.js",
           "const middle = [(width - 1) / 2, (height - 1) / 2];",
           "const middle = [width / 2, height / 2];",
           f"{ARITHMETIC} -k augmentation_lab"),
    Mutant("contrast in the lab is about black", "helpers/widgets/_augmentation.js",
           "const offset = (sum / values.length) * (1 - contrast) + brightness;",
           "const offset = brightness;", f"{ARITHMETIC} -k augmentation_lab"),
    Mutant("the playground takes the browser's own letters",
           "helpers/widgets/tokenizer_playground.js",
           "const w = classBody(wordRuns), s", 'const w = "\\p{L}\\p{N}_", s',
           f"{ARITHMETIC} -k tokenizer_playground"),
    Mutant("the playground merges overlapping pairs", "helpers/widgets/tokenizer_playground.js",
           "      if (merged) i += 1;\n", "", f"{ARITHMETIC} -k tokenizer_playground"),
    Mutant("the key's arrow turns with the query", "helpers/widgets/rotary_arrows.js",
           'show("key", at(k), true);', 'show("key", at(q), true);',
           f"{ARITHMETIC} -k rotary_arrows"),
    Mutant("a rung's spread is not divided by the root of n", "helpers/widgets/ladder_explorer.js",
           "spread(both) / Math.sqrt(both.length)]", "spread(both)]",
           f"{ARITHMETIC} -k ladder_explorer"),
    Mutant("an answer may change its inputs", "helpers/checks/ch04.py",
           "if isinstance(old, Tensor) and not torch.equal(old, new):", "if False:",
           "tests/test_exercises.py -k 04.cutmix"),
    Mutant("a cut through a character is taken for right", "helpers/checks/ch05.py",
           "byte & 0b1100_0000 == 0b1000_0000", "byte >= 0b1000_0000",
           "tests/test_exercises.py -k 05.cut"),
    Mutant("keys in an explorable work on JupyterLab's cells", "helpers/widgets/_common.js",
           'node.setAttribute("data-lm-suppress-shortcuts", "true")', "{}",
           "tests/browser/test_jupyterlab.py"),
    Mutant("a picture is turned the wrong way", "helpers/images.py",
           "torch.stack([cos, -sin, sin, cos], dim=1)", "torch.stack([cos, sin, -sin, cos], dim=1)",
           "tests/test_images.py"),
    Mutant("test pictures are changed too", "helpers/images.py",
           "self.augment(images) if self.training else images", "self.augment(images)",
           "tests/test_images.py"),
    Mutant("16 bits a channel are halved without a word", "helpers/images.py",
           "content[24] == 16", "content[24] == 17", "tests/test_images.py"),
    Mutant("merges are made from the left", "helpers/text.py",
           "pair = min(pairwise(ids), key=lambda pair: ranks.get(pair, len(ranks)))",
           "pair = next((p for p in pairwise(ids) if p in ranks), None)", "tests/test_text.py"),
    Mutant("packed texts see each other", "helpers/text.py",
           "documents[:, :, None] == documents[:, None, :]",
           "(documents[:, :, None] > 0) & (documents[:, None, :] > 0)", "tests/test_text.py"),
    Mutant("each process learns for itself", "helpers/parallel.py",
           "return DistributedDataParallel(model, own)", "return model",
           "tests/test_pretrain.py -k two_processes"),
    Mutant("the optimizers forget when a run goes on", "helpers/optim.py",
           "optimizer.load_state_dict(its_state)", "pass",
           "tests/test_pretrain.py -k go_on_bit_for_bit"),
    Mutant("a run goes on with another model of the same shapes", "helpers/pretraining.py",
           "        **_inner(run.model),\n", "", "tests/test_pretrain.py -k differs_inside"),
    Mutant("a top-p of 1 cuts the smallest tokens", "helpers/generation.py",
           "top_p is not None and top_p < 1", "top_p is not None and top_p <= 1",
           "tests/test_transformer.py -k top_p_of_1"),
    Mutant("the rate of the fast recipe falls at once", "helpers/language_recipes.py",
           "2 * (1 - share)", "1 - share", "tests/test_language_recipes.py -k holds_for_half"),
    Mutant("a text's last, shorter window is not scored", "helpers/language.py",
           "if whole < len(ids) - 1:", "if False:", "tests/test_language.py -k direct_sum"),
    Mutant("windows miss the last place", "helpers/language.py",
           "torch.randint(len(ids) - context, ", "torch.randint(len(ids) - context - 1, ",
           "tests/test_language.py -k start_everywhere"),
]  # fmt: skip


def copy_tree(target: Path) -> None:
    """Everything that git tracks, and what the build made."""
    for path in tracked_files():
        place = target / path.relative_to(ROOT)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, place)
    shutil.copytree(ROOT / "_build/executed", target / "_build/executed")
    os.symlink(ROOT / "_build/html", target / "_build/html")
    os.symlink(ROOT / "site/node_modules", target / "site/node_modules")


def passes(tree: Path, test: str) -> bool:
    """Whether pytest ends without a failure; an error in collecting counts as red as well."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *test.split()]
    env = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}
    result = subprocess.run(command, cwd=tree, env=env, capture_output=True, text=True)
    if result.returncode not in (0, 1, 2):
        sys.exit(f"pytest could not run {test}:\n{result.stdout}{result.stderr}")
    return result.returncode == 0


def survives(tree: Path, mutant: Mutant) -> bool:
    """Break, test, mend."""
    path = tree / mutant.file
    text = path.read_text(encoding="utf-8")
    if text.count(mutant.old) < 1:
        sys.exit(f"{mutant.file} no longer holds {mutant.old!r}: bring this mutant up to date.")
    path.write_text(text.replace(mutant.old, mutant.new, 1), encoding="utf-8")
    try:
        return passes(tree, mutant.test)
    finally:
        path.write_text(text, encoding="utf-8")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "tree"
        copy_tree(tree)
        subprocess.run(["git", "init", "-q"], cwd=tree, check=True)  # some tests ask git for files
        for test in dict.fromkeys(mutant.test for mutant in MUTANTS):
            if not passes(tree, test):
                sys.exit(f"{test} fails before anything is broken: run `make test` first.")
        survivors = []
        for mutant in MUTANTS:
            alive = survives(tree, mutant)
            print("SURVIVES" if alive else "red     ", mutant.what, "-", mutant.test, flush=True)
            survivors += [mutant] if alive else []
    print(f"{len(MUTANTS) - len(survivors)} of {len(MUTANTS)} mutants turned a test red")
    sys.exit(1 if survivors else 0)


if __name__ == "__main__":
    main()
