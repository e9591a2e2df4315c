// The page: draws what is open, moves and zooms it, opens and closes scopes, searches, and shows a card.

const SVG = "http://www.w3.org/2000/svg";
const LEAST_ZOOM = 0.02;
const MOST_ZOOM = 4;
const MOST_FOUND = 60;
const MOST_LISTED = 40;
const HEAD_HEIGHT = 52;

function element(kind, attributes, text) {
  const made = document.createElement(kind);
  for (const [name, value] of Object.entries(attributes || {})) made.setAttribute(name, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

function shape(kind, attributes, text) {
  const made = document.createElementNS(SVG, kind);
  for (const name in attributes) made.setAttribute(name, attributes[name]);
  if (text !== undefined) made.textContent = text;
  return made;
}

const rounded = (number) => Math.round(number * 10) / 10;

function pathText(points) {
  let text = `M${rounded(points[0][0])} ${rounded(points[0][1])}`;
  for (let place = 1; place < points.length; place++) {
    const [x, y] = points[place];
    const [fromX, fromY] = points[place - 1];
    if (Math.abs(x - fromX) < 0.05 && Math.abs(y - fromY) < 0.05) continue;
    if (place % 2 || Math.abs(x - fromX) < 0.05) text += `L${rounded(x)} ${rounded(y)}`;
    else {
      const middle = rounded((y + fromY) / 2);
      text += `C${rounded(fromX)} ${middle} ${rounded(x)} ${middle} ${rounded(x)} ${rounded(y)}`;
    }
  }
  return text;
}

// Whether a line brings something that is computed in a box.
function carries(line, box) {
  for (const link of line.links) if (placeOf(link) >= box.first && placeOf(link) < box.end) return true;
  return false;
}

class Page {
  constructor(diagram) {
    this.diagram = diagram;
    this.canvas = document.getElementById("canvas");
    this.view = document.getElementById("view");
    this.card = document.getElementById("card");
    this.says = document.getElementById("says");
    this.zoom = 1;
    this.x = this.y = 0;
    this.selected = null;
    this.coloring = 0;
    this.makeHead();
    this.listen();
    this.draw();
    this.fit(false);
  }

  // Drawing

  draw() {
    const layers = ["opened", "lines", "texts", "closed", "titles"].map((name) => shape("g", { class: name }));
    [this.openLayer, this.lineLayer, this.textLayer, this.closedLayer, this.titleLayer] = layers;
    this.frames = new Map();
    this.drawnLines = [];
    const inner = opened(this.diagram, this.diagram.root);
    this.width = inner.frame.width;
    this.height = inner.frame.height;
    this.drawOpen(inner.frame, 0, 0);
    this.view.replaceChildren(...layers);
    this.mark();
  }

  drawOpen(frame, x, y) {
    const { inner, box } = frame;
    this.frames.set(box.number, { frame, x, y, group: null });
    if (box.level) this.drawFrame(frame, x, y);
    if (inner.apart) {
      const [left, top, wide, high] = inner.apart;
      this.openLayer.append(shape("rect", { class: "apart", x: rounded(x + left - 10), y: rounded(y + top - 4), width: rounded(wide + 20), height: rounded(high + 14), rx: 8 }));
      this.textLayer.append(shape("text", { class: "small", x: rounded(x + left), y: rounded(y + top + 10) }, C.APART_LABEL));
    }
    for (const line of linesOf(frame)) this.drawLine(line, x, y);
    inner.shown.forEach((child, number) => {
      if (child.isOpen) this.drawOpen(child, x + child.x, y + child.y);
      else this.drawClosed(child, x + child.x, y + child.y);
      const text = inner.texts[number];
      if (!text) return;
      const halo = box.level ? `halo t${(box.level - 1) % 4}` : "halo";
      this.textLayer.append(shape("text", { class: `tensor mid ${halo}`, x: rounded(x + child.x + child.width / 2), y: rounded(y + child.y + child.height + 11) }, text));
    });
  }

  drawFrame(frame, x, y) {
    const { box } = frame;
    const group = shape("g", { class: "frame", "data-box": box.number });
    const at = { x: rounded(x), y: rounded(y), width: rounded(frame.width), height: rounded(frame.height) };
    group.append(shape("rect", { class: `open s${(box.level - 1) % 4}`, ...at, rx: 9 }));
    this.openLayer.append(group);
    this.frames.get(box.number).group = group;
    const title = shape("g", { class: "frame", "data-box": box.number });
    title.append(shape("text", { class: `title halo t${(box.level - 1) % 4}`, x: rounded(x + 28), y: rounded(y + 18) }, frame.title));
    title.append(this.button(box, x + 15, y + 14, false));
    this.titleLayer.append(title);
  }

  button(box, x, y, isClosed) {
    const group = shape("g", { class: "toggle", "data-toggle": box.number });
    group.append(shape("circle", { cx: rounded(x), cy: rounded(y), r: 7 }));
    group.append(shape("path", { d: `M${rounded(x - 3.5)} ${rounded(y)}h7` + (isClosed ? `M${rounded(x)} ${rounded(y - 3.5)}v7` : "") }));
    return group;
  }

  drawClosed(frame, x, y) {
    const { box } = frame;
    if (!box.drawn || box.drawn.coloring !== this.coloring) box.drawn = { coloring: this.coloring, group: this.closedGroup(frame) };
    const { group } = box.drawn;
    group.setAttribute("transform", `translate(${rounded(x)} ${rounded(y)})`);
    this.closedLayer.append(group);
    this.frames.set(box.number, { frame, x, y, group });
  }

  // The same wherever the box stands: made once, and moved.
  closedGroup(frame) {
    const { box, width } = frame;
    const group = shape("g", { class: "closed-box", "data-box": box.number });
    const color = this.color(box);
    const kind = `box ${color}` + (!box.isNode && color === "plain" ? " scope" : "");
    const place = (shift) => ({ x: shift, y: shift, width: rounded(width), height: rounded(frame.height - 2 * shift) });
    if (box.isSeries) for (const shift of [6, 3]) group.append(shape("rect", { class: kind, ...place(shift), rx: 9 }));
    group.append(shape("rect", { class: `${kind} face`, ...place(0), rx: box.isNode ? 6 : 9 }));
    const middle = rounded(width / 2);
    group.append(shape("text", { class: "title mid", x: middle, y: 17 }, frame.title));
    let down = C.TITLE_HEIGHT;
    if (frame.subtitle) {
      group.append(shape("text", { class: "small mid", x: middle, y: down + 4 }, frame.subtitle));
      down += C.SUBTITLE_HEIGHT;
    }
    if (frame.lines.length) {
      group.append(shape("path", { class: "rule", d: `M0 ${down}h${rounded(width)}` }));
      down += C.LINES_PAD / 2;
    }
    for (const [label, text] of frame.lines) {
      group.append(shape("text", { class: "small", x: C.PAD, y: down + 10 }, label));
      group.append(shape("text", { class: "small end", x: rounded(width - C.PAD), y: down + 10 }, text));
      down += C.LINE_HEIGHT;
    }
    if (!box.isNode) group.append(this.button(box, width, 0, true));
    return group;
  }

  drawLine(line, x, y) {
    const kind = line.isBack ? "loop" : line.isControl ? "control" : "edge";
    const path = shape("path", { class: kind, d: pathText(line.points.map((point) => [point[0] + x, point[1] + y])) });
    if (line.isTip) path.setAttribute("marker-end", line.isBack ? "url(#loop-arrow)" : "url(#arrow)");
    this.lineLayer.append(path);
    this.drawnLines.push({ line, path });
  }

  color(box) {
    const coloring = this.diagram.data.colorings[this.coloring];
    return coloring.classes[coloring.colors[box.number]];
  }

  // Moving

  place() {
    this.view.setAttribute("transform", `translate(${rounded(this.x)} ${rounded(this.y)}) scale(${this.zoom})`);
  }

  // All of it, or, at first, its beginning at a size that can be read.
  fit(isWhole = true) {
    const { clientWidth, clientHeight } = this.canvas;
    const high = clientHeight - HEAD_HEIGHT;
    const whole = Math.min((clientWidth - 48) / this.width, (high - 48) / this.height);
    const readable = Math.min(0.85, (clientWidth - 48) / this.width);
    this.zoom = Math.max(LEAST_ZOOM, Math.min(1.2, isWhole ? whole : Math.max(whole, readable)));
    this.x = Math.max(24, (clientWidth - this.width * this.zoom) / 2);
    this.y = HEAD_HEIGHT + Math.max(24, (high - this.height * this.zoom) / 2);
    this.place();
  }

  zoomBy(factor, x, y) {
    const zoom = Math.max(LEAST_ZOOM, Math.min(MOST_ZOOM, this.zoom * factor));
    this.x = x - ((x - this.x) * zoom) / this.zoom;
    this.y = y - ((y - this.y) * zoom) / this.zoom;
    this.zoom = zoom;
    this.place();
  }

  // What the card leaves free: it stands at the right, or below on narrow screens.
  room() {
    const { clientWidth, clientHeight } = this.canvas;
    if (this.card.hidden) return [clientWidth, clientHeight];
    const isBelow = this.card.offsetWidth > 0.6 * clientWidth;
    return isBelow ? [clientWidth, clientHeight - this.card.offsetHeight] : [clientWidth - this.card.offsetWidth, clientHeight];
  }

  center(box) {
    const { frame, x, y } = this.frames.get(box.number);
    const [room, high] = this.room();
    if (this.zoom < 0.6) this.zoom = 0.9;
    this.x = room / 2 - (x + frame.width / 2) * this.zoom;
    this.y = high / 2 - (y + Math.min(frame.height, 200) / 2) * this.zoom;
    this.place();
  }

  show(box) {
    const { frame, x, y } = this.frames.get(box.number);
    const [left, top] = [this.x + x * this.zoom, this.y + y * this.zoom];
    const [room, high] = this.room();
    const isIn = left > 8 && top > HEAD_HEIGHT && left + frame.width * this.zoom < room - 8 && top + Math.min(frame.height * this.zoom, 40) < high;
    if (!isIn) this.center(box);
  }

  // Opening and closing

  toggle(box, isOpen = !box.isOpen) {
    if (box.isNode || box === this.diagram.root || box.isOpen === isOpen) return;
    const before = this.frames.get(box.number);
    box.isOpen = isOpen;
    for (let around = box; around; around = around.parent) around.inner = null;
    this.draw();
    const after = this.frames.get(box.number);
    if (before && after) {
      this.x += (before.x - after.x) * this.zoom;
      this.y += (before.y - after.y) * this.zoom;
      this.place();
    }
    this.say(`${box.label} ${isOpen ? "opened" : "closed"}`);
  }

  reveal(place) {
    const box = this.diagram.leaves[this.diagram.hosts(place)];
    let isChanged = false;
    for (let around = box.parent; around; around = around.parent) {
      if (!around.isOpen && around !== this.diagram.root) isChanged = around.isOpen = true;
      if (around === this.diagram.root) break;
    }
    if (isChanged) {
      for (let around = box; around; around = around.parent) around.inner = null;
      this.draw();
    }
    this.select(box, place);
    if (this.frames.has(box.number)) this.center(box);
  }

  closeAll() {
    for (const box of this.diagram.boxes) {
      if (box !== this.diagram.root) box.isOpen = false;
      box.inner = null;
    }
    this.select(null);
    this.draw();
    this.fit(false);
  }

  // Selecting

  select(box, place) {
    this.selected = box;
    this.mark();
    this.fillCard(box, box && box.isNode ? (place === undefined ? box.first : place) : -1);
    if (box) this.say(this.diagram.name(box) || box.label);
  }

  mark() {
    for (const found of this.view.querySelectorAll(".selected, .linked, .hot")) found.classList.remove("selected", "linked", "hot");
    const box = this.selected;
    if (!box) return;
    const drawn = this.frames.get(box.number);
    if (drawn && drawn.group) drawn.group.classList.add("selected");
    for (const { line, path } of this.drawnLines) {
      if (line.source !== box.number && line.target !== box.number && !carries(line, box)) continue;
      path.classList.add("hot");
      for (const number of [line.source, line.target]) {
        const other = this.frames.get(number);
        if (number !== box.number && other && other.group) other.group.classList.add("linked");
      }
    }
  }

  step(dx, dy) {
    const here = this.selected && this.frames.get(this.selected.number);
    if (!here) {
      const first = [...this.frames.values()].find(({ frame }) => !frame.isOpen);
      if (first) this.select(first.frame.box);
      return;
    }
    const middle = ({ frame, x, y }) => [x + frame.width / 2, y + Math.min(frame.height, 40) / 2];
    const [x, y] = middle(here);
    let [best, nearest] = [null, Infinity];
    for (const other of this.frames.values()) {
      if (other === here || !other.frame.box.level) continue;
      const [otherX, otherY] = middle(other);
      const along = (otherX - x) * dx + (otherY - y) * dy;
      const across = Math.abs((otherX - x) * dy) + Math.abs((otherY - y) * dx);
      if (along > 1 && along + 2.5 * across < nearest) {
        nearest = along + 2.5 * across;
        best = other;
      }
    }
    if (best) {
      this.select(best.frame.box);
      this.show(best.frame.box);
    }
  }

  say(text) {
    this.says.textContent = text;
  }

  // The card

  fillCard(box, place) {
    const wasFocused = this.card.contains(document.activeElement);
    this.card.hidden = !box;
    if (!box) {
      if (wasFocused) this.canvas.focus();
      return;
    }
    const close = element("button", { type: "button", class: "close", "aria-label": "Close the card" }, "×");
    close.addEventListener("click", () => this.select(null));
    const parts = box.isNode ? this.nodeCard(place) : this.scopeCard(box);
    this.card.replaceChildren(close, ...parts);
    this.card.scrollTop = 0;
  }

  nodeCard(place) {
    const { diagram } = this;
    const { data } = diagram;
    const parts = [element("h2", {}, diagram.placeName(place)), element("p", { class: "op" }, diagram.op(place))];
    const host = diagram.hosts(place);
    if (host !== place) parts.push(this.section("Drawn in", [this.nodeRow(host, "")]));
    const outputs = diagram.outputs(place);
    parts.push(this.section("Outputs", outputs.map((text, slot) => this.row(`:${slot}`, text))));
    const inputs = diagram.inputs(place);
    parts.push(this.section("Inputs", inputs.map(([source, slot]) => this.nodeRow(source, slot === CONTROL ? "control" : diagram.outputs(source)[slot] || ""))));
    const users = diagram.allConsumers(place);
    parts.push(this.section(users.length ? `Consumers (${grouped(users.length)})` : "Consumers", users.map(([user, slot]) => this.nodeRow(user, slot === CONTROL ? "control" : ""))));
    const attributes = data.attributeTable[data.attributes[place]].map(([name, text]) => this.row(name, text));
    const device = data.devices[data.deviceOf[place]];
    if (device) attributes.unshift(this.row("device", device));
    for (const coloring of data.colorings) {
      if (coloring.amounts && coloring.amounts[host]) attributes.unshift(this.row(coloring.title, coloring.amounts[host]));
    }
    parts.push(this.section("Attributes", attributes));
    return parts;
  }

  scopeCard(box) {
    const { diagram } = this;
    const parts = [element("h2", {}, diagram.name(box) || box.label), element("p", { class: "op" }, box.isSeries ? `series of ${grouped(box.children.length)}` : "name scope")];
    const button = element("button", { type: "button", class: "wide" }, box.isOpen ? "Close" : "Open");
    button.addEventListener("click", () => {
      this.toggle(box);
      this.select(box);
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

  nodeRow(place, text) {
    const row = element("button", { type: "button", class: "row node" });
    row.append(element("span", { class: "key" }, this.diagram.placeName(place)), element("span", { class: "value" }, text));
    row.addEventListener("click", () => this.reveal(place));
    return row;
  }

  // Above and below

  makeHead() {
    const { data } = this.diagram;
    document.getElementById("title").textContent = data.title;
    this.search = document.getElementById("search");
    this.found = document.getElementById("found");
    const choice = document.getElementById("color");
    data.colorings.forEach((coloring, number) => choice.append(element("option", { value: number }, coloring.title)));
    choice.addEventListener("change", () => {
      this.coloring = Number(choice.value);
      this.draw();
      this.fillLegend();
    });
    for (const [id, act] of Object.entries({
      "zoom-in": () => this.zoomBy(1.25, this.canvas.clientWidth / 2, this.canvas.clientHeight / 2),
      "zoom-out": () => this.zoomBy(0.8, this.canvas.clientWidth / 2, this.canvas.clientHeight / 2),
      fit: () => this.fit(),
      "close-all": () => this.closeAll(),
      theme: () => this.changeTheme(),
    })) {
      document.getElementById(id).addEventListener("click", act);
    }
    this.fillLegend();
  }

  fillLegend() {
    const coloring = this.diagram.data.colorings[this.coloring];
    const rows = coloring.legend.map(([color, label]) => {
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

  look(text) {
    const wanted = text.trim().toLowerCase();
    this.found.replaceChildren();
    this.found.hidden = !wanted;
    this.search.setAttribute("aria-expanded", String(Boolean(wanted)));
    if (!wanted) return;
    const { diagram } = this;
    const total = diagram.starts.length - 1;
    const [same, begins, holds] = [[], [], []];
    for (let place = 0; place < total; place++) {
      const name = diagram.placeName(place).toLowerCase();
      const at = name.indexOf(wanted);
      if (at < 0 && diagram.op(place).toLowerCase() !== wanted) continue;
      (name === wanted ? same : at === 0 || name.endsWith(`/${wanted}`) ? begins : holds).push(place);
    }
    const all = [...same, ...begins, ...holds];
    for (const place of all.slice(0, MOST_FOUND)) {
      const row = element("div", { class: "row", role: "option", "data-place": place });
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
    this.canvas.focus();
    this.reveal(Number(row.dataset.place));
  }

  searchKey(event) {
    const rows = [...this.found.querySelectorAll("[data-place]")];
    const here = rows.findIndex((row) => row.getAttribute("aria-selected") === "true");
    if (event.key === "Escape") {
      this.search.value = "";
      this.look("");
      this.canvas.focus();
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
    this.canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      const pace = event.deltaMode === 1 ? 0.05 : 0.0016;
      this.zoomBy(Math.exp(-Math.max(-240, Math.min(240, event.deltaY)) * pace), event.clientX, event.clientY);
    }, { passive: false });
    this.canvas.addEventListener("pointerdown", (event) => this.grab(event));
    this.canvas.addEventListener("click", (event) => this.click(event));
    this.canvas.addEventListener("dblclick", (event) => {
      const box = this.boxAt(event);
      if (box && !event.target.closest("[data-toggle]")) this.toggle(box);
    });
    this.search.addEventListener("input", () => this.look(this.search.value));
    this.search.addEventListener("focus", () => this.look(this.search.value));
    this.search.addEventListener("blur", () => (this.found.hidden = true));
    this.search.addEventListener("keydown", (event) => this.searchKey(event));
    document.addEventListener("keydown", (event) => this.key(event));
  }

  grab(event) {
    if (event.button !== 0) return;
    const start = { x: event.clientX - this.x, y: event.clientY - this.y };
    const [fromX, fromY] = [event.clientX, event.clientY];
    this.isDragged = false;
    const move = (moved) => {
      if (!this.isDragged && Math.hypot(moved.clientX - fromX, moved.clientY - fromY) < 4) return;
      this.isDragged = true;
      this.canvas.classList.add("dragged");
      this.x = moved.clientX - start.x;
      this.y = moved.clientY - start.y;
      this.place();
    };
    const end = () => {
      this.canvas.classList.remove("dragged");
      window.removeEventListener("pointermove", move);
      window.removeEventListener("pointerup", end);
    };
    window.addEventListener("pointermove", move);
    window.addEventListener("pointerup", end);
  }

  boxAt(event) {
    const found = event.target.closest("[data-box]");
    return found ? this.diagram.boxes[Number(found.dataset.box)] : null;
  }

  click(event) {
    if (this.isDragged) return;
    const toggle = event.target.closest("[data-toggle]");
    if (toggle) this.toggle(this.diagram.boxes[Number(toggle.dataset.toggle)]);
    else this.select(this.boxAt(event));
    this.canvas.focus({ preventScroll: true });
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target === this.search) return;
    const isButton = event.target.closest("button, select");
    const act = {
      "/": () => this.search.focus(),
      Escape: () => this.select(null),
      "+": () => this.zoomBy(1.25, this.canvas.clientWidth / 2, this.canvas.clientHeight / 2),
      "-": () => this.zoomBy(0.8, this.canvas.clientWidth / 2, this.canvas.clientHeight / 2),
      0: () => this.fit(),
      c: () => this.selected && this.frames.has(this.selected.number) && this.center(this.selected),
      Enter: isButton ? null : () => this.selected && (this.toggle(this.selected), this.select(this.selected)),
      Backspace: () => this.selected && this.selected.parent && this.selected.parent.level && this.select(this.selected.parent),
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
const page = new Page(new Diagram(data));
