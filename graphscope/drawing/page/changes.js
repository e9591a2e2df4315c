// What a comparison found, in a list beside the two graphs.

const MOST_CHANGES = 1000;
const MARKS = { added: "+", removed: "−" };

class Changes {
  // `found`: a summary, and for each difference its section, change, name, detail and places in the two graphs, -1 for none.
  constructor(page, found) {
    this.page = page;
    this.rows = found.rows.map(([section, change, name, detail, ...places]) => ({ section, change, name, detail, places }));
    this.here = null;
    this.byPlace = [new Map(), new Map()];
    for (const row of this.rows) row.places.forEach((place, number) => this.keep(this.byPlace[number], place, row));
    this.list = document.getElementById("changes");
    this.list.hidden = false;
    this.fill(found.summary);
  }

  keep(known, place, row) {
    if (place < 0) return;
    if (!known.has(place)) known.set(place, []);
    known.get(place).push(row);
  }

  // The rows about a node of one graph.
  of(number, place) {
    return this.byPlace[number].get(place) || [];
  }

  fill(summary) {
    this.list.replaceChildren(element("p", { class: "more" }, summary));
    let section = "";
    for (const row of this.rows.slice(0, MOST_CHANGES)) {
      if (row.section !== section) this.list.append(element("h3", {}, row.section));
      section = row.section;
      this.list.append(this.line(row));
    }
    const rest = this.rows.length - MOST_CHANGES;
    if (rest > 0) this.list.append(element("p", { class: "more" }, `and ${grouped(rest)} more`));
  }

  line(row) {
    const isPlaced = row.places.some((place) => place >= 0);
    const line = element(isPlaced ? "button" : "div", { class: `change ${row.change}`, ...(isPlaced && { type: "button" }) });
    if (MARKS[row.change]) line.append(element("span", { class: "mark", "aria-label": row.change }, MARKS[row.change]));
    if (row.name) line.append(element("span", { class: "key" }, row.name));
    if (row.detail) line.append(element("span", { class: "value" }, row.detail));
    if (isPlaced) line.addEventListener("click", () => this.show(row));
    row.line = line;
    return line;
  }

  show(row) {
    this.here = row;
    for (const line of this.list.querySelectorAll("[aria-current]")) line.removeAttribute("aria-current");
    if (row.line) {
      row.line.setAttribute("aria-current", "true");
      row.line.scrollIntoView({ block: "nearest" });
    }
    const number = row.places[0] >= 0 ? 0 : 1;
    this.page.reveal(this.page.panes[number], row.places[number]);
  }

  // The next difference that has a place, or the one before.
  step(by) {
    const placed = this.rows.filter((row) => row.places.some((place) => place >= 0));
    if (!placed.length) return;
    const here = this.here ? placed.indexOf(this.here) : by > 0 ? -1 : 0;
    this.show(placed[(here + by + placed.length) % placed.length]);
  }
}
