// Merged geometry: many shapes become one list of triangles, each vertex knowing its element.
import { BufferAttribute, BufferGeometry, ShapeUtils, Vector2 } from "three";

// Grows typed arrays, so that big cities do not pass through lists of numbers.
export class Vertices {
  constructor(sizes) {
    this.sizes = sizes;
    this.held = Object.fromEntries(Object.entries(sizes).map(([name, size]) => [name, new Float32Array(size * 4096)]));
    this.count = 0;
    this.index = new Uint32Array(8192);
    this.used = 0;
  }

  push(values) {
    for (const name in this.sizes) {
      const size = this.sizes[name];
      let array = this.held[name];
      if ((this.count + 1) * size > array.length) {
        array = new Float32Array(array.length * 2);
        array.set(this.held[name]);
        this.held[name] = array;
      }
      const given = values[name];
      if (size === 1) array[this.count] = given;
      else for (let i = 0; i < size; i++) array[this.count * size + i] = given[i];
    }
    return this.count++;
  }

  triangle(a, b, c) {
    if (this.used + 3 > this.index.length) {
      const more = new Uint32Array(this.index.length * 2);
      more.set(this.index);
      this.index = more;
    }
    this.index[this.used++] = a;
    this.index[this.used++] = b;
    this.index[this.used++] = c;
  }

  quad(a, b, c, d) {
    this.triangle(a, b, c);
    this.triangle(a, c, d);
  }

  geometry() {
    const found = new BufferGeometry();
    for (const name in this.sizes) {
      const size = this.sizes[name];
      found.setAttribute(name, new BufferAttribute(this.held[name].slice(0, this.count * size), size));
    }
    found.setIndex(new BufferAttribute(this.index.slice(0, this.used), 1));
    return found;
  }
}

// Walk over shapes held as pairs and counts: calls visit(points, element) with a list of [x, y].
export function eachShape(xy, counts, visit) {
  let at = 0;
  for (let element = 0; element < counts.length; element++) {
    const points = [];
    for (let i = 0; i < counts[element]; i++, at++) points.push([xy[2 * at], xy[2 * at + 1]]);
    visit(points, element);
  }
}

export function middle(points, closed) {
  if (!closed && points.length > 1) return along(points, 0.5);
  let [x, y] = [0, 0];
  for (const point of points) {
    x += point[0] / points.length;
    y += point[1] / points.length;
  }
  return [x, y];
}

function along(points, share) {
  const steps = points.slice(1).map((point, i) => Math.hypot(point[0] - points[i][0], point[1] - points[i][1]));
  let left = share * steps.reduce((sum, step) => sum + step, 0);
  for (let i = 0; i < steps.length; i++) {
    if (left <= steps[i] && steps[i] > 0) {
      const part = left / steps[i];
      return [points[i][0] + part * (points[i + 1][0] - points[i][0]), points[i][1] + part * (points[i + 1][1] - points[i][1])];
    }
    left -= steps[i];
  }
  return points[points.length - 1];
}

export function openRing(points) {
  const last = points.length - 1;
  const open = last > 2 && points[0][0] === points[last][0] && points[0][1] === points[last][1] ? points.slice(0, last) : points.slice();
  const vectors = open.map((point) => new Vector2(point[0], point[1]));
  return ShapeUtils.isClockWise(vectors) ? open.reverse() : open;
}

export function triangles(ring) {
  if (ring.length < 3) return [];
  return ShapeUtils.triangulateShape(
    ring.map((point) => new Vector2(point[0], point[1])),
    [],
  );
}

// A flat ribbon with mitred joins: values(point, across, length along) -> attributes of one vertex.
export function ribbon(vertices, points, width, values) {
  const clean = points.filter((point, i) => i === 0 || point[0] !== points[i - 1][0] || point[1] !== points[i - 1][1]);
  if (clean.length < 2) return;
  let length = 0;
  let before = null;
  for (let i = 0; i < clean.length; i++) {
    const [nx, ny] = miter(clean, i);
    if (i > 0) length += Math.hypot(clean[i][0] - clean[i - 1][0], clean[i][1] - clean[i - 1][1]);
    const half = width / 2;
    const left = vertices.push(values([clean[i][0] + nx * half, clean[i][1] + ny * half], -1, length));
    const right = vertices.push(values([clean[i][0] - nx * half, clean[i][1] - ny * half], 1, length));
    if (before) vertices.quad(before[0], before[1], right, left);
    before = [left, right];
  }
}

function miter(points, i) {
  const one = normal(points[Math.max(0, i - 1)], points[Math.max(1, i)]);
  const other = normal(points[Math.min(points.length - 2, i)], points[Math.min(points.length - 1, i + 1)]);
  const sum = [one[0] + other[0], one[1] + other[1]];
  const length = Math.hypot(sum[0], sum[1]);
  if (length < 0.3) return one;
  const stretch = Math.min(2, 2 / length);
  return [(sum[0] / length) * stretch, (sum[1] / length) * stretch];
}

function normal(from, to) {
  const [x, y] = [to[0] - from[0], to[1] - from[1]];
  const length = Math.hypot(x, y) || 1;
  return [-y / length, x / length];
}
