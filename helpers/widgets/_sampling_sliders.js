// The sliders of temperature, top-k and top-p, in the traits of these names. Joined after _common.js where wanted.

/** The settings of nextTokenProbabilities. */
function samplingOf(model) {
  return { temperature: model.get("temperature"), topK: model.get("top_k"), topP: model.get("top_p") };
}

/** A share as a number of percent. */
const percent = (share) => formatNumber(100 * share, 1);

/** @param {number} count tokens that there are: the top-k that cuts nothing; a top-p of 1 does not, either */
function samplingSliders(model, t, count) {
  const slider = (name, text, limits) => valuedRange(text, limits, (value) => model.set(name, value), () => model.save_changes());
  const temperature = slider("temperature", t("temperature"), { min: 0, max: 2, step: 0.05 });
  const topK = slider("top_k", t("top_k"), { min: 1, max: count }), topP = slider("top_p", t("top_p"), { min: 0.05, max: 1, step: 0.01 });
  const paint = () => {
    const [heat, k, p] = ["temperature", "top_k", "top_p"].map((name) => model.get(name));
    temperature.show(heat, formatNumber(heat, 2));
    topK.show(k, k === count ? t("all", { count }) : String(k));
    topP.show(p, p === 1 ? t("all", { count }) : formatNumber(p, 2));
  };
  return { nodes: [temperature.node, topK.node, topP.node], paint };
}
