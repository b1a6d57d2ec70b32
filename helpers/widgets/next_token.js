// Temperature, top-k and top-p on the next token. Views, then render; the arithmetic is in _sampling.js.

const TRAITS = ["prompt", "temperature", "top_k", "top_p", "drawn", "seed", "strings"];
const ROWS = 16, DRAWS = 100, MOST_DRAWN = 1000; // as in next_token.py
const SCALES = [0.1, 0.25, 0.5, 1]; // what the longest bar may stand for

/** How often each token is drawn by these random numbers. */
export function drawCounts(probabilities, numbers) {
  const counts = new Int32Array(probabilities.length);
  for (const number of numbers) counts[drawToken(probabilities, number)] += 1;
  return counts;
}

const sum = (numbers) => numbers.reduce((a, b) => a + b, 0);

/** Everything that the views show. before: the model's own; spread: at this temperature; after: what is drawn from. */
function readState(model) {
  const { logits } = model.get("distributions").find(({ prompt }) => prompt === model.get("prompt"));
  const sampling = samplingOf(model), drawn = model.get("drawn");
  const before = nextTokenProbabilities(logits), spread = nextTokenProbabilities(logits, { temperature: sampling.temperature });
  const after = nextTokenProbabilities(logits, sampling);
  const counts = drawCounts(after, uniforms(model.get("seed"), drawn)), order = descending(logits);
  const highest = Math.max(...before, ...spread, ...after), scale = SCALES.find((step) => highest <= step + 1e-9);
  return { drawn, before, spread, after, counts, order, scale, kept: after.filter((p) => p > 0).length };
}

function settingsView(model, t) {
  const sliders = samplingSliders(model, t, model.get("tokens").length);
  const names = model.get("distributions").map(({ prompt }) => [prompt, tokenName(prompt)]);
  const prompt = selectField(t("prompt"), names, (text) => choose(model, { prompt: text }));
  const node = element("div", { class: "lm-settings" }, element("div", { class: "lm-prompt" }, prompt.node), ...sliders.nodes);
  const paint = () => {
    prompt.select.value = model.get("prompt");
    sliders.paint();
  };
  return { node, paint };
}

/** Four figures, spoken when they change: the present one large, the model's own below. */
function figuresView(model, t) {
  const tokens = model.get("tokens");
  const names = { kept: t("kept"), entropy: t("entropy"), likeliest: t("likeliest"), draws: t("draws") };
  const cells = Object.fromEntries(Object.keys(names).map((name) => [name, [element("strong", {}), element("span", { class: "lm-note" })]]));
  const node = element("div", { class: "lm-figures", role: "status" },
    ...Object.entries(names).map(([name, text]) => element("p", { "data-figure": name }, element("span", { class: "lm-label" }, text), " ", cells[name][0], " ", cells[name][1])));
  const show = (name, ...words) => cells[name].forEach((cell, i) => { if (cell.textContent !== words[i]) cell.textContent = words[i]; });
  const paint = ({ before, after, kept, order, drawn, counts }) => {
    show("kept", t("kept_value", { kept, count: tokens.length }), "");
    const [now, model_] = [after, before].map((probabilities) => formatNumber(entropyBits(probabilities), 2));
    show("entropy", t("entropy_value", { bits: now }), t("entropy_before", { bits: model_ }));
    show("likeliest", `${tokenName(tokens[order[0]])} ${t("percent", { percent: percent(after[order[0]]) })}`, t("likeliest_before", { percent: percent(before[order[0]]) }));
    show("draws", drawn ? t("draws_value", { different: counts.filter((count) => count > 0).length }) : "–", drawn ? t("draws_before", { count: drawn.toLocaleString("en") }) : "");
  };
  return { node, paint };
}

/** A bar for what is drawn from, or in grey for what was cut, and a mark where the model's own would end. */
function bars() {
  const now = element("span", { class: "lm-now" }), own = element("span", { class: "lm-own" });
  const node = element("div", { class: "lm-bars", "aria-hidden": "true" }, now, own);
  const show = (before, after, spread, scale) => {
    node.classList.toggle("lm-cut", after === 0);
    now.style.width = `${(100 * (after || spread)) / scale}%`;
    own.style.width = `${(100 * before) / scale}%`;
  };
  return { node, show };
}

function tableRow(name) {
  const head = element("th", { scope: "row" }, name), drawing = bars(), cells = [0, 1, 2].map(() => element("td"));
  const node = element("tr", {}, head, element("td", {}, drawing.node), ...cells);
  const show = (texts, cut) => {
    cells.forEach((cell, i) => { cell.textContent = texts[i]; });
    node.classList.toggle("lm-off", cut);
  };
  return { node, head, drawing, show };
}

/** The likeliest tokens, one in a row; the last row sums up the others, without a bar. */
function tableView(model, t) {
  const tokens = model.get("tokens"), shown = Math.min(ROWS, tokens.length), left = tokens.length - shown;
  const rows = Array.from({ length: shown }, () => tableRow("")), rest = tableRow(t("rest", { count: left }));
  const ends = element("span", { class: "lm-ends", "aria-hidden": "true" }, element("span", {}, "0"), element("span"));
  const heads = [t("head_token"), element("span", {}, t("head_bars"), ends), t("head_before"), t("head_after"), t("head_drawn")];
  const body = element("tbody", {}, ...rows.map(({ node }) => node), ...(left ? [rest.node] : []));
  rest.drawing.node.remove();
  const node = element("table", { class: "lm-rows" }, element("thead", {}, element("tr", {}, ...heads.map((head) => element("th", { scope: "col" }, head)))), body);
  const paint = ({ before, spread, after, counts, order, scale, drawn }) => {
    ends.lastChild.textContent = t("percent", { percent: String(100 * scale) });
    const texts = (own, now, count) => [percent(own), now > 0 ? percent(now) : t("cut"), drawn ? String(count) : "–"];
    rows.forEach(({ head, drawing, show }, rank) => {
      const i = order[rank];
      head.textContent = tokenName(tokens[i]);
      drawing.show(before[i], after[i], spread[i], scale);
      show(texts(before[i], after[i], counts[i]), after[i] === 0);
    });
    const [own, now, count] = [before, after, counts].map((numbers) => sum(order.slice(shown).map((i) => numbers[i])));
    rest.show(texts(own, now, count), now === 0);
  };
  return { node, paint };
}

function legend(t) {
  const entry = (kind, text) => element("span", {}, element("span", { class: `lm-sample lm-sample-${kind}`, "aria-hidden": "true" }), text);
  return element("p", { class: "lm-note lm-legend" }, entry("now", t("legend_after")), entry("cut", t("legend_cut")), entry("own", t("legend_before")));
}

function render({ model, el }) {
  const t = texts(model), views = [settingsView(model, t), figuresView(model, t), tableView(model, t)];
  const draw = button(t("draw"), () => choose(model, { drawn: Math.min(model.get("drawn") + DRAWS, MOST_DRAWN) }));
  const forget = button(t("forget"), () => choose(model, { drawn: 0 }));
  const [settings, figures, table] = views.map(({ node }) => node);
  el.append(element("div", { class: "lm lm-next-token" }, settings, element("div", { class: "lm-bar" }, draw, forget), figures,
    legend(t), table, element("p", { class: "lm-note" }, t("hint"))));
  return paintOnChange(model, TRAITS, () => {
    const state = readState(model);
    views.forEach(({ paint }) => paint(state));
  });
}

export default { render };
