// From the embedded diagram to places: drawing/diagram.py and drawing/arrange.py again, for the scopes that are open here.

const TOGETHER = -1;
const CONTROL = -1;
const SLOTS = 65536;

// A node and one of its outputs as one number.
const linkOf = (place, slot) => place * SLOTS + slot + 1;
const placeOf = (link) => Math.floor(link / SLOTS);
const slotOf = (link) => (link % SLOTS) - 1;

// Boxes are numbered as in Python, each before what it holds; nodes have places, first those that are boxes.
class Diagram {
  constructor(data) {
    this.data = data;
    this.title = data.title;
    this.visible = data.visible;
    this.readBoxes();
    this.readApart();
    this.readLinks();
    this.parameters = [0];
    for (let i = 0; i < this.visible; i++) this.parameters.push(this.parameters[i] + (data.parameters[i] || 0));
  }

  readBoxes() {
    const { labels, levels, kinds } = this.data;
    this.boxes = [];
    this.leaves = [];
    const around = [];
    labels.forEach((label, number) => {
      const level = levels[number];
      const parent = level ? around[level - 1] : null;
      const box = { number, label, level, parent, children: [], op: kinds[number], isSeries: kinds[number] === -2, isOutside: false, first: this.leaves.length, end: 0, isOpen: false, inner: null };
      box.isNode = box.op >= 0;
      around[level] = box;
      if (parent) parent.children.push(box);
      if (box.isNode) this.leaves.push(box);
      this.boxes.push(box);
    });
    for (let k = this.boxes.length - 1; k >= 0; k--) {
      const box = this.boxes[k];
      box.end = box.isNode ? box.first + 1 : box.children.length ? box.children[box.children.length - 1].end : box.first;
    }
    this.root = this.boxes[this.data.root];
    for (const number of this.data.open) this.boxes[number].isOpen = true;
  }

  readApart() {
    this.apart = new Int32Array(this.visible).fill(-1);
    for (const number of this.data.outside) this.boxes[number].isOutside = true;
    for (const box of this.boxes) {
      const isWithin = box.parent !== null && box.parent.isWithin;
      if (box.isOutside && !isWithin && box.level) this.apart.fill(box.number, box.first, box.end);
      box.isWithin = isWithin || (box.isOutside && box.level > 0);
    }
    if (this.boxes[0].isOutside) this.apart.fill(-1);
  }

  readLinks() {
    const { counts, sources, slots } = this.data;
    const total = counts.length;
    const hubs = new Uint8Array(this.visible);
    for (const hub of this.data.hubs) hubs[hub] = 1;
    const hosts = Int32Array.from({ length: total }, (_, place) => (place < this.visible ? place : this.data.hosts[place - this.visible]));
    const starts = new Int32Array(total + 1);
    this.hosts = (place) => hosts[place];
    this.starts = starts;
    this.links = Array.from({ length: this.visible }, () => []);
    this.users = Array.from({ length: this.visible }, () => []);
    this.consumers = null;
    for (let place = 0, here = 0; place < total; place++) {
      const target = hosts[place];
      const links = this.links[target];
      for (const end = here + counts[place]; here < end; here++) {
        const origin = hosts[place - sources[here]];
        if (origin === target || this.apart[origin] !== this.apart[target] || hubs[origin]) continue;
        const slot = slots[here] || 0;
        const link = linkOf(origin, slot);
        if (links.length < 64 && links.includes(link)) continue; // of many, as of a saver's, they are told apart later
        links.push(link);
        this.users[origin].push(linkOf(target, slot));
      }
      starts[place + 1] = here;
    }
  }

  // What feeds a node, as in the graph: places and slots.
  inputs(place) {
    const found = [];
    for (let here = this.starts[place]; here < this.starts[place + 1]; here++) {
      found.push([place - this.data.sources[here], this.data.slots[here] || 0]);
    }
    return found;
  }

  op(place) {
    const { ops, kinds } = this.data;
    return ops[place < this.visible ? this.leaves[place].op : this.data.hiddenOps[place - this.visible]];
  }

  outputs(place) {
    return this.data.outputTable[this.data.outputs[place]];
  }

  lines(place) {
    return this.data.lineTable[this.data.lines[place]];
  }

  // The whole name of a box: that of the scope around it and its own, unless the file says otherwise.
  name(box) {
    if (box.level === 0) return "";
    const stated = this.data.names[box.number];
    if (stated !== undefined) return stated;
    if (box.isSeries) return "";
    let around = box.parent;
    while (around.isSeries) around = around.parent;
    const outer = this.name(around);
    return outer ? `${outer}/${box.label}` : box.label;
  }

  placeName(place) {
    return place < this.visible ? this.name(this.leaves[place]) : this.data.hiddenNames[place - this.visible];
  }

  allConsumers(place) {
    if (!this.consumers) {
      this.consumers = new Map();
      for (let user = 0; user + 1 < this.starts.length; user++) {
        for (const [source, slot] of this.inputs(user)) {
          if (!this.consumers.has(source)) this.consumers.set(source, []);
          this.consumers.get(source).push([user, slot]);
        }
      }
    }
    return this.consumers.get(place) || [];
  }
}

function textWidth(text, size, isBold) {
  const table = isBold ? C.BOLD : C.REGULAR;
  let total = 0;
  for (const character of text) {
    const place = character.codePointAt(0) - C.FIRST;
    total += place >= 0 && place < table.length ? table[place] : C.OTHER[character] || C.WIDE;
  }
  return (total * size) / 1000;
}

function fitted(text, size, widest, isBold) {
  if (textWidth(text, size, isBold) <= widest) return text;
  const characters = Array.from(text);
  const cut = (kept) => {
    const tail = Math.floor(kept / 2);
    return characters.slice(0, kept - tail).join("") + "…" + characters.slice(characters.length - tail).join("");
  };
  let [low, high] = [0, Math.min(characters.length, 400)];
  while (low < high) {
    const middle = Math.floor((low + high + 1) / 2);
    if (textWidth(cut(middle), size, isBold) <= widest) low = middle;
    else high = middle - 1;
  }
  return cut(low);
}

const grouped = (number) => String(number).replace(/\B(?=(\d{3})+$)/g, ",");

function shortCount(number) {
  if (number < 1000) return String(number);
  let value = number / 1000;
  const units = ["k", "M", "G", "T", "P", "E"];
  while (value >= 999.5) {
    value /= 1000;
    units.shift();
  }
  return String(Number(value.toPrecision(3))) + units[0];
}

function opText(op, label) {
  const said = label.replace(/^[()]+|[()]+$/g, "").split("/").pop().replace(/[0-9]+$/, "").replace(/_+$/, "").toLowerCase();
  return said === op.toLowerCase() ? "" : fitted(op, C.SMALL_SIZE, C.WIDEST_TITLE, false);
}

function contentText(diagram, box) {
  const size = box.end - box.first;
  const parameters = diagram.parameters[box.end] - diagram.parameters[box.first];
  let nodes = size === 1 ? "1 node" : `${grouped(size)} nodes`;
  if (box.isSeries) nodes = `×${grouped(box.children.length)}  ·  ${nodes}`;
  return parameters ? `${nodes}  ·  ${shortCount(parameters)} parameters` : nodes;
}

function closedBox(diagram, box) {
  const title = fitted(box.label || diagram.title, C.TITLE_SIZE, C.WIDEST_TITLE, true);
  let lines = [];
  let subtitle;
  if (box.isNode) {
    subtitle = opText(diagram.op(box.first), box.label);
    lines = diagram.lines(box.first).map((pair) => pair.map((text) => fitted(text, C.SMALL_SIZE, C.WIDEST_LINE, false)));
  } else subtitle = contentText(diagram, box);
  let widest = Math.max(textWidth(title, C.TITLE_SIZE, true), textWidth(subtitle, C.SMALL_SIZE, false));
  for (const [label, text] of lines) widest = Math.max(widest, textWidth(label, C.SMALL_SIZE, false) + C.COLUMN_GAP + textWidth(text, C.SMALL_SIZE, false));
  let height = C.TITLE_HEIGHT + (subtitle ? C.SUBTITLE_HEIGHT : 0);
  if (lines.length) height += lines.length * C.LINE_HEIGHT + C.LINES_PAD;
  return { box, x: 0, y: 0, width: Math.max(C.LEAST, widest + 2 * C.PAD), height, isOpen: false, title, subtitle, lines };
}

// What an open scope holds is kept in `box.inner` until something in it is opened or closed.
function opened(diagram, scope) {
  if (scope.inner) return scope.inner;
  const main = scope.children.filter((child) => !child.isOutside || scope.isOutside);
  const aside = scope.children.filter((child) => child.isOutside && !scope.isOutside);
  const shown = [...main, ...aside].map((child) => (!child.isNode && child.isOpen ? opened(diagram, child).frame : closedBox(diagram, child)));
  const frame = closedBox(diagram, scope);
  const inner = laidOut(diagram, scope, main, shown);
  inner.frame = frame;
  frame.isOpen = true;
  frame.inner = inner;
  const title = scope.level === 0 ? 0 : C.TITLE_BAR;
  inner.y = inner.entries.size ? C.TITLE_BAR - C.ROW_GAP : title || C.INSET;
  let right = C.INSET + inner.layout.width;
  let bottom = inner.y + inner.layout.height;
  if (shown.length > inner.count) {
    const [side, low] = stacked(inner, right + (main.length ? C.APART_GAP : 0), title + C.INSET, bottom);
    right = side;
    bottom = Math.max(bottom, low);
  }
  frame.width = Math.max(right + C.INSET, title ? frame.width : 0);
  frame.height = bottom + (inner.exits.size && !inner.apart ? 0 : C.INSET);
  inner.x = inner.apart ? C.INSET : (frame.width - inner.layout.width) / 2;
  shown.slice(0, inner.count).forEach((box, number) => {
    box.x = inner.x + inner.layout.xs[number] - box.width / 2;
    box.y = inner.y + inner.layout.ys[number];
  });
  scope.inner = inner;
  return inner;
}

function laidOut(diagram, scope, main, shown) {
  if (!scope.tensors) { // what leads where does not change with what is open
    const [entries, exits] = [new Map(), new Map()];
    scope.tensors = { tensors: tensorsOf(diagram, scope, main, entries, exits), entries, exits };
  }
  const { tensors, entries, exits } = scope.tensors;
  const texts = tensorTexts(diagram, shown.slice(0, main.length), tensors);
  const sizes = texts.map((text, i) => [Math.max(shown[i].width, textWidth(text, C.SMALL_SIZE, false) + 10), shown[i].height + (text ? C.TENSOR_HEIGHT : 0)]);
  for (let i = 0; i < entries.size + exits.size; i++) sizes.push(C.PORT);
  const pairs = tensors.map(({ pair }) => pair);
  const isReturning = (links) => [...links].every((link) => C.NEXT_ITERATIONS.includes(diagram.op(placeOf(link))));
  const returning = new Set();
  tensors.forEach(({ links }, number) => isReturning(links) && returning.add(number));
  const layout = layOut(sizes, pairs, new Set(entries.values()), new Set(exits.values()), returning);
  return { shown, count: main.length, layout, x: C.INSET, y: 0, tensors, entries, exits, texts, apart: null };
}

function tensorsOf(diagram, scope, main, entries, exits) {
  const { first, end } = scope;
  const owner = new Int32Array(end - first).fill(-1);
  main.forEach((box, number) => owner.fill(number, box.first - first, box.end - first));
  const result = new Map();
  const add = (from, to, link) => {
    const key = from * 1000003 + to;
    let found = result.get(key);
    if (found === undefined) result.set(key, (found = { pair: [from, to], links: new Set() }));
    found.links.add(link);
  };
  const [entering, leaving] = [[], []];
  for (let place = first; place < end; place++) {
    const target = owner[place - first];
    if (target < 0) continue;
    for (const link of diagram.links[place]) {
      const source = placeOf(link);
      if (source < first || source >= end) entering.push([link, target]);
      else if (owner[source - first] !== target) add(owner[source - first], target, link);
    }
    if (!scope.level) continue;
    for (const use of diagram.users[place]) {
      const user = placeOf(use);
      if (user < first || user >= end) leaving.push([linkOf(place, slotOf(use)), target]);
    }
  }
  openPorts(entering, entries, main.length, add, true);
  openPorts(leaving, exits, main.length + entries.size, add, false);
  return [...result.values()];
}

function openPorts(links, ports, count, add, isEntry) {
  const isOne = new Set(links.map(([link]) => placeOf(link))).size > C.MAX_PORTS;
  for (const [link, box] of links) {
    const key = isOne ? TOGETHER : placeOf(link);
    if (!ports.has(key)) ports.set(key, count + ports.size);
    const port = ports.get(key);
    if (isEntry) add(port, box, link);
    else add(box, port, link);
  }
}

function tensorTexts(diagram, shown, tensors) {
  const leaving = shown.map(() => new Set());
  for (const { pair, links } of tensors) {
    if (pair[0] >= shown.length || shown[pair[0]].isOpen) continue;
    for (const link of links) if (slotOf(link) !== CONTROL) leaving[pair[0]].add(link);
  }
  return leaving.map((links) => {
    if (!links.size) return "";
    const texts = new Set();
    for (const link of links) texts.add(diagram.outputs(placeOf(link))[slotOf(link)] || "");
    const only = texts.size === 1 ? [...texts][0] : "";
    if (links.size === 1) return fitted(only, C.SMALL_SIZE, C.WIDEST_TENSOR, false);
    return only ? fitted(`${links.size} × ${only}`, C.SMALL_SIZE, C.WIDEST_TENSOR, false) : `${links.size} tensors`;
  });
}

function stacked(inner, x, y, bottom) {
  const low = Math.max(bottom, y + C.APART_HEIGHT);
  const top = y + C.APART_TITLE;
  let [left, wide, here, lowest] = [x, 0, top, top];
  for (const box of inner.shown.slice(inner.count)) {
    if (here > top && here + box.height > low) {
      left += wide + C.STACK_GAP;
      wide = 0;
      here = top;
    }
    box.x = left;
    box.y = here;
    here += box.height + C.STACK_GAP;
    wide = Math.max(wide, box.width);
    lowest = Math.max(lowest, here - C.STACK_GAP);
  }
  const right = Math.max(left + wide, x + textWidth(C.APART_LABEL, C.SMALL_SIZE, false));
  inner.apart = [x, y, right - x, lowest - y];
  return [right, lowest];
}

function portOf(inner, source, ports) {
  const number = ports.has(source) ? ports.get(source) : ports.get(TOGETHER);
  return number === undefined ? 0 : inner.x + inner.layout.xs[number];
}

// The lines of one open scope, relative to its corner.
function linesOf(frame) {
  const { inner } = frame;
  const ends = spreadEnds(inner);
  const result = [];
  inner.tensors.forEach(({ pair, links }, number) => {
    const isBack = inner.layout.isBack[number];
    const start = (source) => {
      if (pair[0] >= inner.count) return [inner.x + inner.layout.xs[pair[0]], 0];
      const box = inner.shown[pair[0]];
      if (isBack) return [box.x + box.width / 2, box.y];
      return [box.x + (box.isOpen ? portOf(box.inner, source, box.inner.exits) : box.width / 2), box.y + box.height];
    };
    const end = (source) => {
      if (pair[1] >= inner.count) return [inner.x + inner.layout.xs[pair[1]], frame.height];
      const box = inner.shown[pair[1]];
      if (isBack) return [box.x + box.width / 2, box.y + box.height];
      if (box.isOpen) return [box.x + portOf(box.inner, source, box.inner.entries), box.y];
      return [ends.get(number), box.y];
    };
    const drawn = new Map();
    let isControl = true;
    const isOpenEnd = (end) => end < inner.count && inner.shown[end].isOpen;
    const isOne = !isOpenEnd(pair[0]) && !isOpenEnd(pair[1]);
    if (isOne) drawn.set("", { from: start(0), to: end(0), links });
    for (const link of links) {
      if (slotOf(link) !== CONTROL) isControl = false;
      if (isOne && !isControl) break;
      if (isOne) continue;
      const [from, to] = [start(placeOf(link)), end(placeOf(link))];
      const key = `${from} ${to}`;
      if (!drawn.has(key)) drawn.set(key, { from, to, links: [] });
      drawn.get(key).links.push(link);
    }
    for (const { from, to, links: carried } of drawn.values()) {
      const points = inner.layout.bends[number].map(([x, y]) => [x + inner.x, y + inner.y]);
      points[0] = [from[0], points[0][1]];
      points[points.length - 1] = [to[0], points[points.length - 1][1]];
      const isTip = pair[1] < inner.count && !inner.shown[pair[1]].isOpen;
      result.push({ points: [from, ...points, to], isControl, isBack, isTip, links: carried, source: numberOf(frame, pair[0]), target: numberOf(frame, pair[1]) });
    }
  });
  return result;
}

const numberOf = (frame, end) => (end < frame.inner.count ? frame.inner.shown[end].box.number : frame.box.number);

function spreadEnds(inner) {
  const arriving = new Map();
  inner.tensors.forEach(({ pair }, number) => {
    if (pair[1] >= inner.count || inner.layout.isBack[number]) return;
    if (!arriving.has(pair[1])) arriving.set(pair[1], []);
    arriving.get(pair[1]).push(number);
  });
  const result = new Map();
  for (const [end, numbers] of arriving) {
    const box = inner.shown[end];
    const from = (number) => inner.layout.bends[number][inner.layout.bends[number].length - 2][0];
    numbers.sort((a, b) => from(a) - from(b));
    const step = Math.min(C.SPREAD, (0.6 * box.width) / Math.max(1, numbers.length - 1));
    numbers.forEach((number, place) => result.set(number, box.x + box.width / 2 + (place - (numbers.length - 1) / 2) * step));
  }
  return result;
}
