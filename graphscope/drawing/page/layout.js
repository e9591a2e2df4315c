// The layout of one scope: drawing/layered/ and drawing/measure.py again, step by step, for what is opened here.
// Names are those of the Python modules. A test compares the places of every box.

function backEdges(size, edges) {
  const after = Array.from({ length: size }, () => []);
  const fed = new Uint8Array(size);
  edges.forEach(([source, target], number) => {
    after[source].push(number);
    fed[target] = 1;
  });
  const result = new Array(edges.length).fill(false);
  const state = new Uint8Array(size); // 0 unseen, 1 open, 2 closed
  const search = (start) => {
    if (state[start]) return;
    state[start] = 1;
    const stack = [[start, 0]];
    while (stack.length) {
      const top = stack[stack.length - 1];
      const box = top[0];
      if (top[1] === after[box].length) {
        state[box] = 2;
        stack.pop();
        continue;
      }
      const number = after[box][top[1]++];
      const target = edges[number][1];
      if (state[target] === 1) result[number] = true;
      else if (state[target] === 0) {
        state[target] = 1;
        stack.push([target, 0]);
      }
    }
  };
  for (let i = 0; i < size; i++) if (!fed[i]) search(i);
  for (let i = 0; i < size; i++) search(i);
  return result;
}

function longestPath(size, edges, first, last) {
  const before = Array.from({ length: size }, () => []);
  const after = Array.from({ length: size }, () => []);
  for (const [source, target] of edges) {
    after[source].push(target);
    before[target].push(source);
  }
  const ranks = Array.from({ length: size }, (_, i) => (first.size && !first.has(i) ? 1 : 0));
  const missing = before.map((sources) => sources.length);
  const order = [];
  for (let i = 0; i < size; i++) if (!missing[i]) order.push(i);
  for (let k = 0; k < order.length; k++) {
    for (const target of after[order[k]]) if (!--missing[target]) order.push(target);
  }
  for (const box of order) for (const target of after[box]) ranks[target] = Math.max(ranks[target], ranks[box] + 1);
  for (let k = order.length - 1; k >= 0; k--) {
    const box = order[k];
    const isSource = before[box].length ? 0 : 1;
    if (!first.has(box) && after[box].length && before[box].length < after[box].length + isSource) {
      let least = Infinity;
      for (const target of after[box]) least = Math.min(least, ranks[target]);
      ranks[box] = Math.max(ranks[box], least - 1);
    }
  }
  let bottom = 0;
  for (let i = 0; i < size; i++) if (!last.has(i)) bottom = Math.max(bottom, ranks[i] + 1);
  for (const box of last) ranks[box] = bottom;
  return ranks;
}

function splitWideRows(ranks, widths, widest) {
  const rows = rowsOf(ranks);
  const result = new Array(ranks.length).fill(0);
  let rank = 0;
  for (const row of rows) {
    let filled = 0;
    for (const box of row) {
      if (filled && filled + widths[box] > widest) {
        rank += 1;
        filled = 0;
      }
      filled += widths[box];
      result[box] = rank;
    }
    rank += 1;
  }
  return result;
}

function rowsOf(ranks) {
  let most = -1;
  for (const rank of ranks) most = Math.max(most, rank);
  const rows = Array.from({ length: most + 1 }, () => []);
  ranks.forEach((rank, box) => rows[rank].push(box));
  return rows;
}

function orderRows(ranks, before, after) {
  const rows = initialRows(ranks, after);
  let best = rows.map((row) => row.slice());
  let fewest = crossings(rows, after);
  let waited = 0;
  for (let sweep = 0; sweep < C.SWEEPS; sweep++) {
    if (!fewest || waited === C.PATIENCE) break;
    const isDown = sweep % 2 === 0;
    sweepRows(rows, isDown ? before : after, isDown);
    const found = crossings(rows, after);
    waited += 1;
    if (found < fewest) {
      fewest = found;
      waited = 0;
      best = rows.map((row) => row.slice());
    }
  }
  return best;
}

function initialRows(ranks, after) {
  const rows = rowsOf(ranks).map(() => []);
  const seen = new Uint8Array(ranks.length);
  const starts = ranks.map((_, i) => i).sort((a, b) => ranks[a] - ranks[b]);
  for (const start of starts) {
    const stack = [start];
    while (stack.length) {
      const place = stack.pop();
      if (seen[place]) continue;
      seen[place] = 1;
      rows[ranks[place]].push(place);
      for (let k = after[place].length - 1; k >= 0; k--) stack.push(after[place][k]);
    }
  }
  return rows;
}

function sweepRows(rows, links, isDown) {
  let position = new Map();
  for (let k = 0; k < rows.length; k++) {
    const row = rows[isDown ? k : rows.length - 1 - k];
    const keys = new Map();
    row.forEach((place, here) => {
      const linked = links[place];
      let sum = 0;
      for (const i of linked) sum += position.get(i);
      keys.set(place, linked.length ? sum / linked.length : here);
    });
    row.sort((a, b) => keys.get(a) - keys.get(b));
    position = new Map(row.map((place, here) => [place, here]));
  }
}

function crossings(rows, after) {
  let total = 0;
  for (let k = 0; k + 1 < rows.length; k++) total += crossingsBetween(rows[k], rows[k + 1], after);
  return total;
}

function crossingsBetween(upper, lower, after) {
  const position = new Map(lower.map((place, here) => [place, here]));
  let base = 1;
  while (base < lower.length) base *= 2;
  const tree = new Uint32Array(2 * base);
  let total = 0;
  for (const place of upper) {
    for (const end of after[place].map((i) => position.get(i)).sort((a, b) => a - b)) {
      let node = end + base;
      tree[node] += 1;
      while (node > 1) {
        if (node % 2 === 0) total += tree[node + 1];
        node >>= 1;
        tree[node] += 1;
      }
    }
  }
  return total;
}

function assign(rows, before, after, widths, isBend, gap) {
  const distance = (left, right) => (widths[left] + widths[right]) / 2 + (isBend[left] || isBend[right] ? gap / 2 : gap);
  const conflicts = conflictsOf(rows, before, isBend);
  const layouts = [];
  for (const isDown of [true, false]) {
    for (const isLeft of [true, false]) {
      let turned = isDown ? rows : rows.slice().reverse();
      if (!isLeft) turned = turned.map((row) => row.slice().reverse());
      const root = aligned(turned, isDown ? before : after, conflicts, widths.length);
      const xs = compacted(turned, root, distance);
      layouts.push(isLeft ? xs : xs.map((x) => -x));
    }
  }
  return balanced(layouts, widths);
}

function conflictsOf(rows, before, isBend) {
  const size = before.length;
  const result = new Set();
  for (let k = 0; k + 1 < rows.length; k++) {
    const [upper, lower] = [rows[k], rows[k + 1]];
    const goingOn = new Set();
    for (const place of lower) if (isBend[place]) for (const s of before[place]) if (isBend[s]) goingOn.add(s);
    for (const place of lower) if (!isBend[place]) for (const s of before[place]) if (goingOn.has(s)) result.add(s * size + place);
    const position = new Map(upper.map((place, here) => [place, here]));
    let left = 0;
    let scanned = 0;
    lower.forEach((place, here) => {
      const inner = isBend[place] ? before[place].find((i) => isBend[i]) : undefined;
      if (inner === undefined && here + 1 < lower.length) return;
      const right = inner === undefined ? upper.length - 1 : position.get(inner);
      for (const other of lower.slice(scanned, here + 1)) {
        for (const source of before[other]) {
          const at = position.get(source);
          if (!(left <= at && at <= right) && !(isBend[source] && isBend[other])) result.add(source * size + other);
        }
      }
      scanned = here + 1;
      left = right;
    });
  }
  return result;
}

function aligned(rows, links, conflicts, size) {
  const root = Array.from({ length: size }, (_, i) => i);
  const next = root.slice();
  const position = new Array(size).fill(0);
  for (const row of rows) {
    row.forEach((place, here) => (position[place] = here));
    let reached = -1;
    for (const place of row) {
      const linked = links[place].slice().sort((a, b) => position[a] - position[b]);
      if (!linked.length) continue;
      const middle = (linked.length - 1) / 2;
      for (let i = Math.floor(middle); i <= Math.floor(middle + 0.5); i++) {
        const other = linked[i];
        const isConflict = conflicts.has(place * size + other) || conflicts.has(other * size + place);
        if (next[place] === place && reached < position[other] && !isConflict) {
          next[other] = place;
          root[place] = root[other];
          next[place] = root[place];
          reached = position[other];
        }
      }
    }
  }
  return root;
}

function compacted(rows, root, distance) {
  const after = new Map();
  for (const row of rows) for (const place of row) if (!after.has(root[place])) after.set(root[place], new Map());
  const missing = new Map([...after.keys()].map((block) => [block, 0]));
  for (const row of rows) {
    for (let k = 0; k + 1 < row.length; k++) {
      const links = after.get(root[row[k]]);
      const other = root[row[k + 1]];
      const known = links.get(other);
      if (known === undefined) missing.set(other, missing.get(other) + 1);
      links.set(other, Math.max(known || 0, distance(row[k], row[k + 1])));
    }
  }
  const order = [...missing.keys()].filter((block) => !missing.get(block));
  const xs = new Map([...after.keys()].map((block) => [block, 0]));
  for (let k = 0; k < order.length; k++) {
    for (const [other, least] of after.get(order[k])) {
      xs.set(other, Math.max(xs.get(other), xs.get(order[k]) + least));
      missing.set(other, missing.get(other) - 1);
      if (!missing.get(other)) order.push(other);
    }
  }
  for (let k = order.length - 1; k >= 0; k--) {
    const links = after.get(order[k]);
    if (!links.size) continue;
    let nearest = Infinity;
    for (const [other, least] of links) nearest = Math.min(nearest, xs.get(other) - least);
    xs.set(order[k], Math.max(xs.get(order[k]), nearest));
  }
  return root.map((block) => xs.get(block));
}

function balanced(layouts, widths) {
  const bounds = layouts.map((xs) => {
    let [low, high] = [Infinity, -Infinity];
    xs.forEach((x, i) => {
      low = Math.min(low, x - widths[i] / 2);
      high = Math.max(high, x + widths[i] / 2);
    });
    return [low, high];
  });
  let narrowest = bounds[0];
  for (const bound of bounds) if (bound[1] - bound[0] < narrowest[1] - narrowest[0]) narrowest = bound;
  const shifts = bounds.map((bound, i) => (i % 2 === 0 ? narrowest[0] - bound[0] : narrowest[1] - bound[1]));
  return widths.map((_, place) => {
    const values = layouts.map((xs, i) => xs[place] + shifts[i]).sort((a, b) => a - b);
    return (values[1] + values[2]) / 2;
  });
}

function layOut(sizes, edges, first, last, returning) {
  const result = {
    xs: new Array(sizes.length).fill(0),
    ys: new Array(sizes.length).fill(0),
    bends: edges.map(() => []),
    isBack: edges.map(() => false),
    width: 0,
    height: 0,
  };
  const parts = partsOf(sizes.length, edges, first, last).map(([boxes, numbers]) => new Part(boxes, numbers, sizes, edges, first, last, returning));
  packed(parts, result).forEach(([x, y], i) => parts[i].write(result, x, i === 0 || !first.size ? y : y + C.ROW_GAP));
  if (first.size && parts.length > 1) result.height += C.ROW_GAP;
  return result;
}

function partsOf(size, edges, first, last) {
  const parent = Array.from({ length: size }, (_, i) => i);
  const find = (box) => {
    while (parent[box] !== box) {
      parent[box] = parent[parent[box]];
      box = parent[box];
    }
    return box;
  };
  const ends = [...new Set([...first, ...last])].sort((a, b) => a - b);
  const links = edges.slice();
  for (let k = 0; k + 1 < ends.length; k++) links.push([ends[k], ends[k + 1]]);
  for (const [source, target] of links) {
    const [one, other] = [find(source), find(target)];
    if (one !== other) parent[Math.max(one, other)] = Math.min(one, other);
  }
  const parts = new Map();
  for (let box = 0; box < size; box++) {
    const root = find(box);
    if (!parts.has(root)) parts.set(root, [[], []]);
    parts.get(root)[0].push(box);
  }
  edges.forEach(([source], number) => parts.get(find(source))[1].push(number));
  const held = ends.length ? find(ends[0]) : -1;
  const isHeld = (part) => (find(part[0][0]) === held ? 0 : 1);
  return [...parts.values()].sort((a, b) => isHeld(a) - isHeld(b) || b[0].length - a[0].length || a[0][0] - b[0][0]);
}

function packed(parts, result) {
  let [area, limit] = [0, 0];
  for (const part of parts) area += (part.width + C.PARTS_GAP) * (part.height + C.PARTS_GAP);
  limit = Math.sqrt(1.6 * area);
  for (const part of parts) limit = Math.max(limit, part.width);
  let [x, y, line] = [0, 0, 0];
  const corners = parts.map((part) => {
    let gap = part.height < 60 && x ? C.GAP : x ? C.PARTS_GAP : 0;
    if (x && x + gap + part.width > limit) {
      y += line + C.PARTS_GAP;
      x = line = gap = 0;
    }
    const corner = [x + gap, y];
    x += gap + part.width;
    line = Math.max(line, part.height);
    result.width = Math.max(result.width, x);
    return corner;
  });
  result.height = y + line;
  return corners;
}

class Part {
  constructor(boxes, numbers, sizes, edges, first, last, returning) {
    this.boxes = boxes;
    this.numbers = numbers;
    const place = new Map(boxes.map((box, here) => [box, here]));
    const own = numbers.map((i) => [place.get(edges[i][0]), place.get(edges[i][1])]);
    this.widths = boxes.map((box) => sizes[box][0]);
    this.heights = boxes.map((box) => sizes[box][1]);
    const known = numbers.map((number) => returning.has(number));
    const turned = own.map(([source, target], i) => (known[i] ? [target, source] : [source, target]));
    this.isBack = backEdges(boxes.length, turned).map((found, i) => found !== known[i]);
    this.ends = own.map(([source, target], i) => (this.isBack[i] ? [target, source] : [source, target]));
    const among = (set) => new Set(boxes.filter((box) => set.has(box)).map((box) => place.get(box)));
    const ranks = longestPath(boxes.length, this.ends, among(first), among(last));
    this.ranks = splitWideRows(ranks, this.widths.map((width) => width + C.GAP), C.WIDEST);
    this.layOut();
  }

  layOut() {
    const count = this.boxes.length;
    const before = Array.from({ length: count }, () => []);
    const after = Array.from({ length: count }, () => []);
    this.chains = this.makeChains(before, after);
    const isBend = before.map((_, place) => place >= count);
    while (this.widths.length < before.length) {
      this.widths.push(C.BEND);
      this.heights.push(0);
    }
    const rows = orderRows(this.ranks, before, after);
    const xs = assign(rows, before, after, this.widths, isBend, C.GAP);
    let left = Infinity;
    xs.forEach((x, i) => (left = Math.min(left, x - this.widths[i] / 2)));
    this.xs = xs.map((x) => x - left);
    this.width = 0;
    this.xs.forEach((x, i) => (this.width = Math.max(this.width, x + this.widths[i] / 2)));
    this.makeRows(rows, after);
  }

  makeChains(before, after) {
    const spans = this.ends.map((_, i) => i).sort((a, b) => this.span(a) - this.span(b));
    const known = new Map();
    const chains = this.ends.map(() => []);
    const linked = new Set();
    let left = C.MAX_BENDS;
    for (const number of spans) {
      const [source, target] = this.ends[number];
      if (this.span(number) > left) continue;
      let here = source;
      for (let rank = this.ranks[source] + 1; rank < this.ranks[target]; rank++) {
        const key = `${source} ${this.isBack[number]} ${rank}`;
        let bend = known.get(key);
        if (bend === undefined) {
          bend = this.ranks.length;
          known.set(key, bend);
          this.ranks.push(rank);
          before.push([here]);
          after.push([]);
          after[here].push(bend);
          left -= 1;
        }
        chains[number].push(bend);
        here = bend;
      }
      const link = `${here} ${target}`;
      if (!linked.has(link)) {
        linked.add(link);
        after[here].push(target);
        before[target].push(here);
      }
    }
    return chains;
  }

  span(number) {
    const [source, target] = this.ends[number];
    return this.ranks[target] - this.ranks[source];
  }

  makeRows(rows, after) {
    this.tops = [];
    this.bottoms = [];
    let y = 0;
    for (const row of rows) {
      this.tops.push(y);
      let [high, aside] = [0, 0];
      for (const place of row) {
        high = Math.max(high, this.heights[place]);
        for (const i of after[place]) aside = Math.max(aside, Math.abs(this.xs[i] - this.xs[place]));
      }
      y += high;
      this.bottoms.push(y);
      y += C.ROW_GAP + Math.min(60, aside * 0.06);
    }
    this.height = this.bottoms[this.bottoms.length - 1];
  }

  write(result, x, y) {
    this.boxes.forEach((box, place) => {
      result.xs[box] = x + this.xs[place];
      result.ys[box] = y + this.tops[this.ranks[place]];
    });
    this.numbers.forEach((edge, number) => {
      result.isBack[edge] = this.isBack[number];
      const points = this.bendsOf(number, x, y);
      result.bends[edge] = this.isBack[number] ? points.reverse() : points;
    });
  }

  bendsOf(number, x, y) {
    const [source, target] = this.ends[number];
    const points = [[x + this.xs[source], y + this.bottoms[this.ranks[source]]]];
    for (const bend of this.chains[number]) {
      const rank = this.ranks[bend];
      points.push([x + this.xs[bend], y + this.tops[rank]], [x + this.xs[bend], y + this.bottoms[rank]]);
    }
    points.push([x + this.xs[target], y + this.tops[this.ranks[target]]]);
    return points;
  }
}
