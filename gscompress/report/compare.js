// The page of a comparison: sorting, choosing a file and a view, the slider. Nothing is fetched.
"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const element = (id) => document.getElementById(id);
  const all = (query, inside = document) => [...inside.querySelectorAll(query)];

  // Sorting: by the values in data-value; an empty value is unknown and stays at the end.
  function sortBy(button) {
    const heading = button.closest("th");
    const table = heading.closest("table");
    const column = heading.cellIndex;
    const text = button.dataset.kind === "text";
    const first = text ? "ascending" : "descending";
    const other = text ? "descending" : "ascending";
    const order = heading.getAttribute("aria-sort") === first ? other : first;
    const sign = order === "ascending" ? 1 : -1;
    const value = (row) => row.cells[column].dataset.value;
    const compare = (a, b) => {
      const [x, y] = [value(a), value(b)];
      if (x === "" || y === "") return (x === "") - (y === "");
      return sign * (text ? x.localeCompare(y, undefined, { numeric: true }) : x - y);
    };
    table.tBodies[0].append(...[...table.tBodies[0].rows].sort(compare));
    for (const item of all("th", table)) item.setAttribute("aria-sort", item === heading ? order : "none");
  }
  for (const button of all("thead button")) button.addEventListener("click", () => sortBy(button));

  // The table of views, in the metric that is chosen.
  const rows = all("#views tbody tr"); // in the order of data.views, however they are sorted now
  function showMetric() {
    const metric = element("metric").value;
    const digits = metric.endsWith("psnr") ? 2 : 4;
    const columns = data.scores[metric];
    rows.forEach((row, k) => columns.forEach((column, file) => {
      const cell = row.cells[file + 1];
      cell.dataset.value = column[k];
      cell.textContent = column[k].toFixed(digits);
    }));
    const means = element("views").tFoot.rows[0].cells;
    columns.forEach((column, file) => {
      means[file + 1].textContent = (column.reduce((a, b) => a + b, 0) / column.length).toFixed(digits);
    });
    for (const heading of all("#views th")) heading.setAttribute("aria-sort", "none");
  }
  element("metric").addEventListener("change", showMetric);

  // The chosen file stands out wherever it is.
  let file = 0;
  function choose(k) {
    file = k;
    for (const item of all("[data-file]")) item.classList.toggle("on", +item.dataset.file === k);
    for (const line of all("polyline[data-file].on")) line.parentNode.append(line);
    if (data.pictures.length) showPicture();
  }
  for (const button of all(".pick")) button.addEventListener("click", () => choose(+button.dataset.file));

  // Pictures.
  function showPicture() {
    const picture = data.pictures[element("view").value];
    const chosen = picture.files[file];
    const left = element("left").value;
    element("file").value = file;
    element("before").src = picture[left];
    element("before").alt = `View ${picture.view}: ${left}`;
    element("after").src = chosen.test;
    element("after").alt = `View ${picture.view}: ${data.names[file]}`;
    element("tag-before").textContent = left;
    element("tag-after").textContent = `${data.names[file]}, ${chosen.psnr.toFixed(2)} dB`;
    element("difference").src = chosen.difference;
    element("difference").alt = `Difference of ${data.names[file]} and the reference, amplified`;
    element("difference-text").textContent =
      `Difference of ${data.names[file]} and the reference in this view × ${picture.gain}, the same for all files`;
  }
  if (data.pictures.length) {
    const slider = element("at");
    const frame = element("compare");
    const move = () => frame.style.setProperty("--at", `${slider.value}%`);
    const follow = (event) => {
      if (!event.buttons) return;
      const box = frame.getBoundingClientRect();
      slider.value = (100 * (event.clientX - box.left)) / box.width;
      move();
    };
    slider.addEventListener("input", move);
    frame.addEventListener("pointerdown", (event) => {
      frame.setPointerCapture(event.pointerId);
      follow(event);
    });
    frame.addEventListener("pointermove", follow);
    element("view").addEventListener("change", showPicture);
    element("left").addEventListener("change", showPicture);
    element("file").addEventListener("change", () => choose(+element("file").value));
  }
  choose(0);
})();
