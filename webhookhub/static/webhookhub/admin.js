// What the admin's pages lack: buttons that copy, and names and keys for controls that only a mouse would find.
"use strict";

const COPIED_SHOWN_MS = 2000;

document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copies]");
    if (!button) return;
    const source = document.getElementById(button.dataset.copies);
    const label = button.querySelector("[data-label]");
    const before = label.textContent;
    try {
        await navigator.clipboard.writeText(source.textContent);
        label.textContent = "Copied";
    } catch {
        // Without HTTPS a page may not write to the clipboard: the text is selected instead.
        window.getSelection().selectAllChildren(source);
        label.textContent = "Selected";
    }
    setTimeout(() => { label.textContent = before; }, COPIED_SHOWN_MS);
});

// Links and symbols that are clicked, and lead nowhere: reachable by Tab, pressed by Enter.
function makeReachable(control) {
    control.tabIndex = 0;
    control.setAttribute("role", "button");
    control.addEventListener("keydown", (event) => {
        if (event.key !== "Enter" && event.key !== " ") return;
        event.preventDefault();
        control.click();
    });
}

// What a drop-down that searches is called, is said by the label of the field that it stands for.
function nameAfterItsField(box) {
    const field = box.closest(".select2-container").previousElementSibling;
    const name = field?.labels?.[0]?.textContent.trim();
    if (!name) return;
    box.setAttribute("aria-label", name);
    box.querySelector(".select2-selection__rendered")?.setAttribute("aria-label", name);
}

// They are made when the page is ready, and anew when its width changes.
new MutationObserver(() => {
    document.querySelectorAll(".select2-selection:not([aria-label])").forEach(nameAfterItsField);
}).observe(document.documentElement, { childList: true, subtree: true });

window.addEventListener("load", () => {
    document.querySelectorAll("a[x-on\\:click]:not([href])").forEach(makeReachable);
    document.querySelectorAll("span.material-symbols-outlined[x-on\\:click]").forEach((symbol) => {
        makeReachable(symbol);
        symbol.setAttribute("aria-label", "Show or hide the navigation");
    });
});

// Charts are drawn once; what a refreshed part of the page brings along are their new numbers.
document.addEventListener("htmx:afterSwap", (event) => {
    event.target.querySelectorAll("[data-chart]").forEach((fresh) => {
        const canvas = document.querySelector(`#${fresh.dataset.chart} canvas`);
        const chart = canvas && Chart.getChart(canvas);
        if (!chart) return;
        const { labels, datasets } = JSON.parse(fresh.dataset.value);
        chart.data.labels = labels;
        datasets.forEach((dataset, number) => { chart.data.datasets[number].data = dataset.data; });
        chart.update();
    });
});
