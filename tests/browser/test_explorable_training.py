"""ScheduleComposer trains in timeouts of its own: none is left when its view goes away.

pytest tests/browser/test_explorable_training.py
"""

from tests.browser.cases.schedule_composer import example

COUNT_TASKS = """async () => {
    const later = window.setTimeout, { model, el, cleanup } = explorables[0];
    const pause = (time) => new Promise((go) => later(go, time));
    let tasks = 0;
    window.setTimeout = (task, ...given) => later(() => { tasks += 1; task(); }, ...given);
    model.set("seed", 3);
    while (tasks < 4) await pause(5);
    const busy = !el.querySelector(".lm-busy").hidden, before = tasks;
    cleanup();
    await pause(300);
    return [busy, tasks - before];
}"""


def test_training_ends_when_the_view_goes_away(mount, page):
    mount(example())
    busy, tasks_afterwards = page.evaluate(COUNT_TASKS)
    assert busy, "it should still have been training"
    assert tasks_afterwards == 0
