// The page: one graph, or two that are compared, with the head, the card, the search and the keys.

const MOST_FOUND = 60;
const MOST_LISTED = 40;

function element(kind, attributes, text) {
  const made = document.createElement(kind);
  for (const [name, value] of Object.entries(attributes || {})) made.setAttribute(name, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

class Page {
  constructor(data) {
    this.data = data;
    this.card = document.getElementById("card");
    this.says = document.getElementById("says");
    const { changes } = data;
    document.body.classList.toggle("comparing", Boolean(changes));
    const diagrams = data.panes.map((found) => new Diagram(found));
    const canvases = diagrams.map((diagram) => this.makeCanvas(diagram)); // all, before any is measured
    this.panes = diagrams.map((diagram, number) => new Pane(diagram, canvases[number], () => this.covered(canvases[number])));
    this.pane = this.panes[0];
    this.changes = changes ? new Changes(this, changes) : null;
    this.makeHead();
    this.listen();
  }

  makeCanvas(diagram) {
    const label = `The graph ${diagram.title}. Arrow keys move between boxes, Enter opens and closes a scope, / searches.`;
    const canvas = shape("svg", { class: "canvas", tabindex: 0, role: "application", "aria-label": label });
    const around = element("div", { class: "pane" });
    around.append(canvas);
    if (this.data.changes) around.append(element("p", { class: "caption" }, diagram.title));
    document.getElementById("panes").append(around);
    return canvas;
  }

  // How much of a canvas the card hides: it floats at the right, or below on narrow screens.
  covered(canvas) {
    const { card } = this;
    if (card.hidden || getComputedStyle(card).position !== "fixed") return [0, 0];
    return card.offsetWidth > 0.6 * canvas.clientWidth ? [0, card.offsetHeight] : [card.offsetWidth, 0];
  }

  say(text) {
    this.says.textContent = text;
  }

  // Opening, closing and selecting, in both graphs where there are two

  // The other graph, and the box of it that has what `box` has; null where there is none.
  counterpart(pane, box) {
    const other = this.panes.find((each) => each !== pane);
    if (!other) return [null, null];
    const { partners } = pane.diagram.data;
    for (let place = box.first; place < box.end; place++) {
      if (partners[place] < 0) continue;
      let found = other.diagram.leaves[other.diagram.hosts(partners[place])];
      while (!box.isNode && found.level > box.level) found = found.parent;
      return [other, found.isNode === box.isNode ? found : null];
    }
    return [other, null];
  }

  toggle(pane, box, isOpen) {
    if (!pane.toggle(box, isOpen)) return;
    const [other, found] = this.counterpart(pane, box);
    if (found) other.toggle(found, isOpen);
    this.say(`${box.label} ${isOpen ? "opened" : "closed"}`);
  }

  closeAll() {
    this.select(this.pane, null);
    for (const pane of this.panes) pane.closeAll();
  }

  // `place` is that of a node which is drawn in `box`, the box's own without it.
  select(pane, box, place = box && box.isNode ? box.first : -1) {
    this.pane = pane;
    pane.select(box);
    const other = this.panes.find((each) => each !== pane);
    if (other) this.follow(pane, other, box, place);
    this.fillCard(pane, box, place);
    if (box) this.say(pane.diagram.name(box) || box.label);
  }

  // Shows in the other graph what is selected in this one.
  follow(pane, other, box, place) {
    const partner = place >= 0 ? pane.diagram.data.partners[place] : -1;
    let found = null;
    if (partner >= 0) found = other.reveal(partner);
    else if (box && !box.isNode) found = this.counterpart(pane, box)[1];
    other.select(found);
    if (found && other.frames.has(found.number)) other.show(found);
  }

  reveal(pane, place) {
    const box = pane.reveal(place);
    this.select(pane, box, place);
    pane.center(box);
  }

  step(dx, dy) {
    const box = this.pane.next(dx, dy);
    if (!box) return;
    this.select(this.pane, box);
    this.pane.show(box);
  }

  // The card

  fillCard(pane, box, place) {
    const wasFocused = this.card.contains(document.activeElement);
    this.card.hidden = !box;
    if (!box) {
      if (wasFocused) pane.canvas.focus();
      return;
    }
    const close = element("button", { type: "button", class: "close", "aria-label": "Close the card" }, "×");
    close.addEventListener("click", () => this.select(pane, null));
    const parts = box.isNode ? this.nodeCard(pane, place) : this.scopeCard(pane, box);
    this.card.replaceChildren(close, ...parts);
    this.card.scrollTop = 0;
  }

  nodeCard(pane, place) {
    const { diagram } = pane;
    const { data } = diagram;
    const parts = [element("h2", {}, diagram.placeName(place)), element("p", { class: "op" }, diagram.op(place))];
    parts.push(this.changesOf(pane, place));
    const host = diagram.hosts(place);
    if (host !== place) parts.push(this.section("Drawn in", [this.nodeRow(pane, host, "")]));
    const outputs = diagram.outputs(place);
    parts.push(this.section("Outputs", outputs.map((text, slot) => this.row(`:${slot}`, text))));
    const inputs = diagram.inputs(place);
    parts.push(this.section("Inputs", inputs.map(([source, slot]) => this.nodeRow(pane, source, slot === CONTROL ? "control" : diagram.outputs(source)[slot] || ""))));
    const users = diagram.allConsumers(place);
    parts.push(this.section(users.length ? `Consumers (${grouped(users.length)})` : "Consumers", users.map(([user, slot]) => this.nodeRow(pane, user, slot === CONTROL ? "control" : ""))));
    const attributes = data.attributeTable[data.attributes[place]].map(([name, text]) => this.row(name, text));
    const device = data.devices[data.deviceOf[place]];
    if (device) attributes.unshift(this.row("device", device));
    for (const coloring of data.colorings) {
      if (coloring.amounts && coloring.amounts[host]) attributes.unshift(this.row(coloring.title, coloring.amounts[host]));
    }
    parts.push(this.section("Attributes", attributes));
    return parts;
  }

  scopeCard(pane, box) {
    const { diagram } = pane;
    const parts = [element("h2", {}, diagram.name(box) || box.label), element("p", { class: "op" }, box.isSeries ? `series of ${grouped(box.children.length)}` : "name scope")];
    const button = element("button", { type: "button", class: "wide" }, box.isOpen ? "Close" : "Open");
    button.addEventListener("click", () => {
      this.toggle(pane, box, !box.isOpen);
      this.select(pane, box);
    });
    parts.push(button);
    const facts = [this.row("nodes", grouped(box.end - box.first))];
    const parameters = diagram.parameters[box.end] - diagram.parameters[box.first];
    if (parameters) facts.push(this.row("parameters", grouped(parameters)));
    parts.push(this.section("In it", facts));
    const counts = new Map();
    for (let place = box.first; place < box.end; place++) counts.set(diagram.op(place), (counts.get(diagram.op(place)) || 0) + 1);
    const ops = [...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
    parts.push(this.section("Ops", ops.map(([op, count]) => this.row(op, grouped(count)))));
    return parts;
  }

  // What the comparison says of a node, and what the other graph calls it.
  changesOf(pane, place) {
    if (!this.changes) return "";
    const number = this.panes.indexOf(pane);
    const rows = this.changes.of(number, place).map((row) => this.row(row.section, MARKS[row.change] ? row.change : row.detail));
    const partner = pane.diagram.data.partners[place];
    const other = this.panes[1 - number];
    if (partner >= 0 && other.diagram.placeName(partner) !== pane.diagram.placeName(place)) {
      rows.push(this.nodeRow(other, partner, number ? "before" : "now"));
    }
    return this.section("Differences", rows);
  }

  section(title, rows) {
    const section = element("section");
    if (!rows.length) return section;
    if (title) section.append(element("h3", {}, title));
    section.append(...rows.slice(0, MOST_LISTED));
    if (rows.length > MOST_LISTED) section.append(element("p", { class: "more" }, `and ${grouped(rows.length - MOST_LISTED)} more`));
    return section;
  }

  row(name, text) {
    const row = element("div", { class: "row" });
    row.append(element("span", { class: "key" }, name), element("span", { class: "value" }, text));
    return row;
  }

  nodeRow(pane, place, text) {
    const row = element("button", { type: "button", class: "row node" });
    row.append(element("span", { class: "key" }, pane.diagram.placeName(place)), element("span", { class: "value" }, text));
    row.addEventListener("click", () => this.reveal(pane, place));
    return row;
  }

  // Above and below

  makeHead() {
    const { data } = this;
    document.getElementById("title").textContent = data.title;
    this.search = document.getElementById("search");
    this.found = document.getElementById("found");
    const choice = document.getElementById("color");
    data.panes[0].colorings.forEach((coloring, number) => choice.append(element("option", { value: number }, coloring.title)));
    choice.addEventListener("change", () => {
      for (const pane of this.panes) pane.recolor(Number(choice.value));
      this.fillLegend();
    });
    for (const [id, act] of Object.entries({
      "zoom-in": () => this.zoom(1.25),
      "zoom-out": () => this.zoom(0.8),
      fit: () => this.fit(),
      "close-all": () => this.closeAll(),
      theme: () => this.changeTheme(),
    })) {
      document.getElementById(id).addEventListener("click", act);
    }
    this.fillLegend();
  }

  zoom(factor) {
    for (const pane of this.panes) pane.zoomAtMiddle(factor);
  }

  fit() {
    for (const pane of this.panes) pane.fit();
  }

  // The colors of all graphs, each once.
  fillLegend() {
    const swatches = new Map();
    for (const { diagram, coloring } of this.panes) {
      for (const swatch of diagram.data.colorings[coloring].legend) swatches.set(swatch.join(" "), swatch);
    }
    const rows = [...swatches.values()].map(([color, label]) => {
      const row = element("span", { class: "swatch" });
      const mark = shape("svg", { width: 13, height: 13, "aria-hidden": "true" });
      mark.append(shape("rect", { class: `box ${color}`, x: 0.7, y: 0.7, width: 11.6, height: 11.6, rx: 3 }));
      row.append(mark, element("span", {}, label));
      return row;
    });
    document.getElementById("legend").replaceChildren(...rows);
  }

  changeTheme() {
    const root = document.documentElement;
    const isDark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = isDark ? "light" : "dark";
  }

  // Nodes by name or op, the nearest names first. Of two that are one node in both graphs, the first graph's alone.
  matches(wanted) {
    const [same, begins, holds] = [[], [], []];
    this.panes.forEach((pane, number) => {
      const { diagram } = pane;
      const met = new Set(number ? [...same, ...begins, ...holds].map(([first, place]) => first.diagram.data.partners[place]) : []);
      const total = diagram.starts.length - 1;
      for (let place = 0; place < total; place++) {
        const name = diagram.placeName(place).toLowerCase();
        const at = name.indexOf(wanted);
        if ((at < 0 && diagram.op(place).toLowerCase() !== wanted) || met.has(place)) continue;
        (name === wanted ? same : at === 0 || name.endsWith(`/${wanted}`) ? begins : holds).push([pane, place]);
      }
    });
    return [...same, ...begins, ...holds];
  }

  look(text) {
    const wanted = text.trim().toLowerCase();
    this.found.replaceChildren();
    this.found.hidden = !wanted;
    this.search.setAttribute("aria-expanded", String(Boolean(wanted)));
    if (!wanted) return;
    const all = this.matches(wanted);
    for (const [pane, place] of all.slice(0, MOST_FOUND)) {
      const { diagram } = pane;
      const row = element("div", { class: "row", role: "option", "data-pane": this.panes.indexOf(pane), "data-place": place });
      row.append(element("span", { class: "key" }, diagram.placeName(place)), element("span", { class: "value" }, diagram.op(place)));
      row.addEventListener("mousedown", (event) => {
        event.preventDefault();
        this.choose(row);
      });
      this.found.append(row);
    }
    const rest = all.length - MOST_FOUND;
    if (!all.length) this.found.append(element("p", { class: "more" }, "nothing found"));
    else if (rest > 0) this.found.append(element("p", { class: "more" }, `and ${grouped(rest)} more`));
    if (this.found.firstElementChild.dataset.place) this.found.firstElementChild.setAttribute("aria-selected", "true");
  }

  choose(row) {
    this.found.hidden = true;
    this.search.setAttribute("aria-expanded", "false");
    const pane = this.panes[Number(row.dataset.pane)];
    pane.canvas.focus();
    this.reveal(pane, Number(row.dataset.place));
  }

  searchKey(event) {
    const rows = [...this.found.querySelectorAll("[data-place]")];
    const here = rows.findIndex((row) => row.getAttribute("aria-selected") === "true");
    if (event.key === "Escape") {
      this.search.value = "";
      this.look("");
      this.pane.canvas.focus();
    } else if (event.key === "Enter" && here >= 0) this.choose(rows[here]);
    else if ((event.key === "ArrowDown" || event.key === "ArrowUp") && rows.length) {
      event.preventDefault();
      const next = rows[(here + (event.key === "ArrowDown" ? 1 : rows.length - 1)) % rows.length];
      if (here >= 0) rows[here].removeAttribute("aria-selected");
      next.setAttribute("aria-selected", "true");
      next.scrollIntoView({ block: "nearest" });
    }
  }

  // What people do

  listen() {
    for (const pane of this.panes) {
      pane.canvas.addEventListener("focus", () => (this.pane = pane));
      pane.canvas.addEventListener("click", (event) => this.click(pane, event));
      pane.canvas.addEventListener("dblclick", (event) => {
        const box = pane.boxAt(event);
        if (box && !event.target.closest("[data-toggle]")) this.toggle(pane, box, !box.isOpen);
      });
    }
    this.search.addEventListener("input", () => this.look(this.search.value));
    this.search.addEventListener("focus", () => this.look(this.search.value));
    this.search.addEventListener("blur", () => (this.found.hidden = true));
    this.search.addEventListener("keydown", (event) => this.searchKey(event));
    document.addEventListener("keydown", (event) => this.key(event));
  }

  click(pane, event) {
    if (pane.isDragged) return;
    const toggle = event.target.closest("[data-toggle]");
    if (toggle) {
      const box = pane.diagram.boxes[Number(toggle.dataset.toggle)];
      this.toggle(pane, box, !box.isOpen);
    } else this.select(pane, pane.boxAt(event));
    pane.canvas.focus({ preventScroll: true });
  }

  toggleSelected() {
    const { pane } = this;
    if (!pane.selected) return;
    this.toggle(pane, pane.selected, !pane.selected.isOpen);
    this.select(pane, pane.selected);
  }

  selectParent() {
    const box = this.pane.selected && this.pane.selected.parent;
    if (box && box.level) this.select(this.pane, box);
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target === this.search) return;
    const isButton = event.target.closest("button, select");
    const act = {
      "/": () => this.search.focus(),
      Escape: () => this.select(this.pane, null),
      "+": () => this.zoom(1.25),
      "-": () => this.zoom(0.8),
      0: () => this.fit(),
      c: () => this.pane.selected && this.pane.center(this.pane.selected),
      n: this.changes && (() => this.changes.step(1)),
      p: this.changes && (() => this.changes.step(-1)),
      Enter: isButton ? null : () => this.toggleSelected(),
      Backspace: () => this.selectParent(),
      ArrowLeft: isButton ? null : () => this.step(-1, 0),
      ArrowRight: isButton ? null : () => this.step(1, 0),
      ArrowUp: isButton ? null : () => this.step(0, -1),
      ArrowDown: isButton ? null : () => this.step(0, 1),
    }[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  }
}

const data = JSON.parse(document.getElementById("data").textContent);
const C = data.constants;
const page = new Page(data);
