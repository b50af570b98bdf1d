// Checks that nothing is missed and nothing comes twice.
//
// The hub's ids are EPOCH-SEQUENCE: the epoch is drawn at each start, the sequence only grows. It
// is one sequence for all topics, so a hole in it may be somebody else's event and says nothing.
// Repeats and order are seen from it; losses are seen from `gap` events and, independently of what
// the hub says, from the numbers that the `update` feed puts into its data without holes.

export function parseId(id) {
  const match = /^([0-9a-f]+)-(\d+)$/.exec(id);
  return match && { epoch: match[1], sequence: Number(match[2]) };
}

export class SequenceCheck {
  missed = 0;
  repeated = 0;
  gaps = 0;

  #epoch = "";
  #sequence = -1;
  #number = null; // of the newest update that is in line
  #ahead = null; // one that is not: believed when the next one follows it

  // Other streams are read from now on: updates that were not among them are not missed.
  otherStreams() {
    this.#number = this.#ahead = null;
  }

  // Says whether the event is a repeat. A publisher's own id is not judged: it may use one twice.
  see(id, type, data) {
    const at = parseId(id);
    if (type === "gap") {
      this.gaps += 1;
      // What follows starts where the hub says, be it before what was seen.
      if (at) [this.#epoch, this.#sequence] = [at.epoch, at.sequence];
      return false;
    }
    // The hub greets with its position, which is no event of a topic.
    if (!at || type === "connected") return false;
    if (at.epoch === this.#epoch && at.sequence <= this.#sequence) {
      this.repeated += 1;
      return true;
    }
    [this.#epoch, this.#sequence] = [at.epoch, at.sequence];
    if (type === "update" && Number.isInteger(data?.id)) this.#count(data.id);
    return false;
  }

  // Anybody may publish an `update` with any number, so one alone is not taken for a loss.
  #count(number) {
    if (this.#number === null || number === this.#number + 1) {
      [this.#number, this.#ahead] = [number, null];
    } else if (number - 1 === this.#ahead) {
      // Smaller numbers: the feed was started anew.
      if (this.#ahead > this.#number) this.missed += this.#ahead - this.#number - 1;
      [this.#number, this.#ahead] = [number, null];
    } else {
      this.#ahead = number;
    }
  }
}
