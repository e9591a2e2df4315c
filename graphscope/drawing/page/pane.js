// One graph on its canvas: draws what is open, moves and zooms it, and marks what is selected.

const SVG = "http://www.w3.org/2000/svg";
const LEAST_ZOOM = 0.02;
const MOST_ZOOM = 4;
const MARGIN = 24;

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

class Pane {
  // `canvas` is an empty svg element; `covered` gives how much of it the card hides, in pixels from the right and from below.
  constructor(diagram, canvas, covered) {
    this.diagram = diagram;
    this.canvas = canvas;
    this.covered = covered;
    this.view = shape("g", { class: "view" });
    canvas.append(this.view);
    this.zoom = 1;
    this.x = this.y = 0;
    this.selected = null;
    this.coloring = 0;
    this.isDragged = false;
    this.canvas.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    this.canvas.addEventListener("pointerdown", (event) => this.grab(event));
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
    const wide = clientWidth - 2 * MARGIN;
    const whole = Math.min(wide / this.width, (clientHeight - 2 * MARGIN) / this.height);
    const readable = Math.min(0.85, wide / this.width);
    this.zoom = Math.max(LEAST_ZOOM, Math.min(1.2, isWhole ? whole : Math.max(whole, readable)));
    this.x = Math.max(MARGIN, (clientWidth - this.width * this.zoom) / 2);
    this.y = Math.max(MARGIN, (clientHeight - this.height * this.zoom) / 2);
    this.place();
  }

  zoomBy(factor, x, y) {
    const zoom = Math.max(LEAST_ZOOM, Math.min(MOST_ZOOM, this.zoom * factor));
    this.x = x - ((x - this.x) * zoom) / this.zoom;
    this.y = y - ((y - this.y) * zoom) / this.zoom;
    this.zoom = zoom;
    this.place();
  }

  zoomAtMiddle(factor) {
    this.zoomBy(factor, this.canvas.clientWidth / 2, this.canvas.clientHeight / 2);
  }

  room() {
    const [right, below] = this.covered();
    return [this.canvas.clientWidth - right, this.canvas.clientHeight - below];
  }

  center(box) {
    if (!this.frames.has(box.number)) return;
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
    const isIn = left > 8 && top > 8 && left + frame.width * this.zoom < room - 8 && top + Math.min(frame.height * this.zoom, 40) < high;
    if (!isIn) this.center(box);
  }

  // Opening and closing

  // Whether anything changed.
  toggle(box, isOpen) {
    if (box.isNode || box === this.diagram.root || box.isOpen === isOpen) return false;
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
    return true;
  }

  // Opens all that holds a node, and gives the box that it is drawn in.
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
    return box;
  }

  closeAll() {
    for (const box of this.diagram.boxes) {
      if (box !== this.diagram.root) box.isOpen = false;
      box.inner = null;
    }
    this.draw();
    this.fit(false);
  }

  recolor(coloring) {
    this.coloring = coloring;
    this.draw();
  }

  // Selecting

  select(box) {
    this.selected = box;
    this.mark();
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

  // The box that an arrow key leads to; null where there is none.
  next(dx, dy) {
    const here = this.selected && this.frames.get(this.selected.number);
    if (!here) {
      const first = [...this.frames.values()].find(({ frame }) => !frame.isOpen);
      return first ? first.frame.box : null;
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
    return best ? best.frame.box : null;
  }

  // What the pointer does

  wheel(event) {
    event.preventDefault();
    const { left, top } = this.canvas.getBoundingClientRect();
    const pace = event.deltaMode === 1 ? 0.05 : 0.0016;
    const factor = Math.exp(-Math.max(-240, Math.min(240, event.deltaY)) * pace);
    this.zoomBy(factor, event.clientX - left, event.clientY - top);
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
}
