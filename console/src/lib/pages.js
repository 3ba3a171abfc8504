// A listing of any length of which little is held: pages that lie one behind the other, each with the cursor that it begins behind. Those far from what is
// looked at give their rows away, and are fetched again by their cursor.

export class Pages {
  constructor(kept = 4) {
    this.kept = kept;
    this.pages = []; // { after, next, size, rows: array or null }
    this.more = true;
  }

  // How many rows are known to be there.
  get size() {
    return this.pages.reduce((sum, page) => sum + page.size, 0);
  }

  // The cursor behind all that is known.
  get end() {
    return this.pages.at(-1)?.next ?? 0;
  }

  // The page behind the last one came.
  append(rows, next, more) {
    if (rows.length) this.pages.push({ after: this.end, next, size: rows.length, rows });
    else if (this.pages.length) this.pages.at(-1).next = next; // nothing was let through up to there
    else if (more) this.pages.push({ after: 0, next, size: 0, rows: [] });
    this.more = more;
  }

  // Page `at` came again. What lies behind its end belongs to the next one.
  refill(at, rows, numberOf) {
    const page = this.pages[at];
    page.rows = rows.filter((row) => numberOf(row) <= page.next);
    page.size = page.rows.length;
  }

  // Rows `from` to `to`: { row (null: its page has to be fetched), index }.
  slice(from, to) {
    const found = [];
    let begin = 0;
    for (const page of this.pages) {
      for (let index = Math.max(from, begin); index < Math.min(to, begin + page.size); index++) found.push({ index, row: page.rows?.[index - begin] ?? null });
      begin += page.size;
      if (begin >= to) break;
    }
    return found;
  }

  // The first page without rows that holds some of these rows; -1: there is none.
  missing(from, to) {
    let begin = 0;
    for (const [at, page] of this.pages.entries()) {
      if (!page.rows && begin < to && begin + page.size > from) return at;
      begin += page.size;
    }
    return -1;
  }

  // Give rows away that are far from row `middle`.
  forget(middle) {
    let begin = 0;
    const held = this.pages.filter((page) => page.rows);
    if (held.length <= this.kept) return;
    const distances = new Map();
    for (const page of this.pages) {
      distances.set(page, Math.abs(begin + page.size / 2 - middle));
      begin += page.size;
    }
    for (const page of held.sort((a, b) => distances.get(a) - distances.get(b)).slice(this.kept)) page.rows = null;
  }

  // All of it may have changed, and there may be more behind the end.
  stale() {
    for (const page of this.pages) page.old = true;
    this.more = true;
  }

  // The first page among these rows that may have changed; -1.
  old(from, to) {
    let begin = 0;
    for (const [at, page] of this.pages.entries()) {
      if (page.old && begin < to && begin + Math.max(1, page.size) > from) return at;
      begin += page.size;
    }
    return -1;
  }
}
