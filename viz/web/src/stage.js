// The picture: renderer, camera and its controls, one or two views side by side, picking, following.
import { ColorManagement, PerspectiveCamera, Vector3, WebGLRenderer, WebGLRenderTarget } from "three";
import { MapControls } from "three/addons/controls/MapControls.js";
import { setLook, sharedUniforms } from "./shade.js";

ColorManagement.enabled = false;
const BACK = "#0b1019"; // beside two views
const REACH = 4; // pixels round the pointer that a click looks at

export class Stage {
  constructor(canvas, { high = false } = {}) {
    this.soft = !high && drawnBySoftware();
    this.renderer = new WebGLRenderer({ canvas, antialias: !this.soft, powerPreference: "high-performance", stencil: false });
    this.renderer.autoClear = false;
    this.renderer.setClearColor(BACK, 1);
    this.renderer.setPixelRatio(this.soft ? 1 : Math.min(2, globalThis.devicePixelRatio || 1));
    this.shared = sharedUniforms();
    this.camera = new PerspectiveCamera(38, 1, 1, 50000);
    this.camera.up.set(0, 0, 1);
    this.controls = new MapControls(this.camera, canvas);
    this.controls.enableDamping = false;
    this.controls.maxPolarAngle = 1.52;
    this.controls.zoomToCursor = true;
    this.worlds = [];
    this.changed = true;
    this.controls.addEventListener("change", () => (this.changed = true));
    this.night(false);
  }

  get split() {
    return this.worlds.length > 1;
  }

  night(on) {
    setLook(this.shared, on);
    this.changed = true;
  }

  resize(width, height, free) {
    this.free = free;
    this.width = Math.max(1, width);
    this.height = Math.max(1, height);
    this.renderer.setSize(this.width, this.height, false);
    this.changed = true;
  }

  // Rectangles of the views in CSS pixels, from the top left: two share what panels leave free, on a tall screen one above the other.
  views() {
    if (!this.split) return [[0, 0, this.width, this.height]];
    const { left, top, right, bottom } = this.free;
    const [wide, high] = [Math.max(2, right - left), Math.max(2, bottom - top)];
    if (high > wide) {
      return [
        [left, top, wide, high / 2],
        [left, top + high / 2, wide, high / 2],
      ];
    }
    return [
      [left, top, wide / 2, high],
      [left + wide / 2, top, wide / 2, high],
    ];
  }

  look(position, target) {
    this.camera.position.set(...position);
    this.controls.target.set(...target);
    this.controls.maxDistance = 40000;
    this.controls.minDistance = 15;
    this.controls.update();
    this.changed = true;
  }

  // Swing to another view; at once for who wants no motion.
  fly(position, target, calm) {
    if (calm) return this.look(position, target);
    const from = { position: this.camera.position.clone(), target: this.controls.target.clone() };
    const to = { position: new Vector3(...position), target: new Vector3(...target) };
    this.flight = { from, to, start: performance.now() };
    this.changed = true;
  }

  glide(now) {
    if (!this.flight) return;
    const share = Math.min(1, (now - this.flight.start) / 700);
    const eased = share * share * (3 - 2 * share);
    const { from, to } = this.flight;
    this.camera.position.lerpVectors(from.position, to.position, eased);
    this.controls.target.lerpVectors(from.target, to.target, eased);
    this.controls.update();
    this.changed = true;
    if (share >= 1) this.flight = null;
  }

  // Shift camera and target so that the target is at a point.
  centre([x, y]) {
    const { target } = this.controls;
    const [dx, dy] = [x - target.x, y - target.y];
    this.camera.position.x += dx;
    this.camera.position.y += dy;
    target.x += dx;
    target.y += dy;
    this.controls.update();
  }

  // Keyboard: pan in shares of the distance, turn in radians, zoom as a factor.
  nudge({ right = 0, forward = 0, turn = 0, zoom = 1, tilt = 0 }) {
    const { camera, controls } = this;
    const offset = camera.position.clone().sub(controls.target);
    const step = offset.length() * 0.06;
    const flat = Math.atan2(offset.y, offset.x);
    const move = new Vector3(
      -Math.sin(flat) * right - Math.cos(flat) * forward,
      Math.cos(flat) * right - Math.sin(flat) * forward,
      0,
    ).multiplyScalar(step);
    offset.applyAxisAngle(new Vector3(0, 0, 1), turn);
    const level = Math.hypot(offset.x, offset.y);
    const polar = Math.min(1.5, Math.max(0.05, Math.atan2(level, offset.z) + tilt));
    const length = Math.min(40000, Math.max(15, offset.length() * zoom));
    const around = Math.atan2(offset.y, offset.x);
    offset.set(Math.cos(around) * Math.sin(polar), Math.sin(around) * Math.sin(polar), Math.cos(polar)).multiplyScalar(length);
    controls.target.add(move);
    camera.position.copy(controls.target).add(offset);
    controls.update();
    this.changed = true;
  }

  aim([, , width, height]) {
    const { camera, shared } = this;
    camera.aspect = width / height;
    const distance = camera.position.distanceTo(this.controls.target);
    camera.near = Math.max(0.5, Math.min(distance, camera.position.z) * 0.02);
    camera.far = Math.max(60000, distance * 6);
    camera.updateProjectionMatrix();
    camera.updateMatrixWorld();
    const ratio = this.renderer.getPixelRatio();
    shared.uPixels.value = (height * ratio) / (2 * Math.tan((camera.fov * Math.PI) / 360));
    shared.uView.value.set(width * ratio, height * ratio, 1);
  }

  // Draw every view; update(world) brings a world to the second first.
  draw(update) {
    const { renderer } = this;
    this.changed = false;
    renderer.setRenderTarget(null);
    renderer.setScissorTest(false);
    if (this.split) renderer.clear();
    renderer.setScissorTest(this.split);
    this.views().forEach((view, number) => {
      const [x, y, width, height] = view;
      const below = this.height - y - height;
      renderer.setViewport(x, below, width, height);
      renderer.setScissor(x, below, width, height);
      this.aim(view);
      renderer.clear();
      const world = this.worlds[number];
      update(world);
      const far = this.camera.position.distanceTo(this.controls.target) > (this.soft ? 350 : 1600);
      for (const layer of world.movers) layer.simple(far);
      renderer.render(world.scene, this.camera);
    });
  }

  finish() {
    const gl = this.renderer.getContext();
    gl.readPixels(0, 0, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, new Uint8Array(4));
  }

  // What is under the pointer: {world, kind, layer, index} or null.
  pick(x, y, update) {
    const views = this.views();
    const number = views.findIndex(([left, top, width, height]) => x >= left && x < left + width && y >= top && y < top + height);
    if (number < 0) return null;
    const view = views[number];
    const world = this.worlds[number];
    const size = REACH * 2 + 1;
    this.target ??= new WebGLRenderTarget(size, size);
    this.aim(view);
    update(world);
    this.camera.setViewOffset(view[2], view[3], x - view[0] - REACH, y - view[1] - REACH, size, size);
    this.shared.uPick.value = 1;
    this.shared.uPixels.value /= this.renderer.getPixelRatio();
    this.shared.uView.value.set(size, size, 1);
    this.renderer.setScissorTest(false);
    this.renderer.setRenderTarget(this.target);
    this.renderer.setClearColor(0, 0);
    this.renderer.clear();
    this.renderer.render(world.scene, this.camera);
    const pixels = new Uint8Array(size * size * 4);
    this.renderer.readRenderTargetPixels(this.target, 0, 0, size, size, pixels);
    this.renderer.setRenderTarget(null);
    this.renderer.setClearColor(BACK, 1);
    this.shared.uPick.value = 0;
    this.camera.clearViewOffset();
    this.changed = true;
    return best(world, pixels, size);
  }

  // Where a point of the city is on the screen in a view: [x, y, distance]; null behind the viewer.
  project(point, view) {
    const at = new Vector3(...point).project(this.camera);
    if (at.z > 1 || at.z < -1) return null;
    return [
      view[0] + ((at.x + 1) / 2) * view[2],
      view[1] + ((1 - at.y) / 2) * view[3],
      this.camera.position.distanceTo(new Vector3(...point)),
    ];
  }
}

const RANK = { mover: 0, part: 1, building: 2, street: 3 };
const FLAT_FORMS = new Set(["road", "area", "surface", "cloud"]);

function best(world, pixels, size) {
  let found = null;
  for (let i = 0; i < size * size; i++) {
    const number = pixels[i * 4] + pixels[i * 4 + 1] * 256 + pixels[i * 4 + 2] * 65536;
    const hit = number ? world.pick(number) : null;
    if (!hit) continue;
    const away = Math.hypot((i % size) - REACH, Math.floor(i / size) - REACH);
    const flat = hit.kind === "part" && FLAT_FORMS.has(hit.layer.part.form) ? 0.5 : 0;
    const score = (RANK[hit.kind] + flat) * 4 + away;
    if (!found || score < found.score) found = { ...hit, world, score };
  }
  return found;
}

// Does this browser draw without a graphics card?
function drawnBySoftware() {
  const gl = globalThis.document.createElement("canvas").getContext("webgl2");
  const known = gl?.getExtension("WEBGL_debug_renderer_info");
  const name = known ? String(gl.getParameter(known.UNMASKED_RENDERER_WEBGL)) : "";
  gl?.getExtension("WEBGL_lose_context")?.loseContext();
  return /swiftshader|llvmpipe|software/i.test(name);
}
