// Everything the page says, in two languages.

const WORDS = {
  en: {
    layers: "Layers",
    journal: "Journal",
    play: "Play",
    pause: "Pause",
    speed: "Speed",
    timeline: "Timeline",
    buildings: "Buildings",
    streets: "Streets",
    places: "Places",
    labels: "Place names",
    translucent: "See through buildings",
    day: "Day",
    night: "Night",
    auto: "By the clock",
    light: "Light",
    camera: "Camera",
    help: "Keys and gestures",
    close: "Close",
    find: "Find an element or a unit by its id",
    find_hint: "Find id …",
    not_found: "Nothing here is called",
    follow: "Follow",
    following: "Following",
    stop: "Stop following",
    plain: "plain",
    on: "yes",
    off: "no",
    absent: "not recorded",
    met: "met",
    missed: "missed",
    "not reached": "not reached",
    target: "target",
    now: "Now",
    kpis: "Key figures",
    dark_note: "is off; it was on at the start",
    run_a: "A",
    run_b: "B",
    recorded_to: "recorded up to",
    of: "of",
    no_webgl: "This browser cannot draw in three dimensions (no WebGL): journal, key figures and curves still work.",
    damaged: "This file is damaged:",
    nothing: "Nothing is recorded yet.",
    apart_clock: "These runs never met on the clock: they begin together here, and the clock is that of A.",
    apart_city: "These runs are of different cities.",
    all: "All",
    actions: "Actions",
    warnings: "Warnings",
    more: "more",
    building: "Building",
    street: "Street",
    height: "height",
    colour_by: "Colour by",
    scaled: "People and vehicles are drawn larger from afar.",
    info: "About this run",
    degraded: "degraded",
    failed: "failed",
    interrupted: "interrupted",
    unfinished: "unfinished",
    done: "done",
    entries: "entries",
    language: "中文",
    language_name: "Switch to Chinese",
    panel: "Show or hide the panels",
    not_there: "is not in the city now",
    kind_action: "action",
    kind_inject: "inject",
    kind_notice: "notice",
    kind_degraded: "degraded",
    kind_flow: "flow",
  },
  zh: {
    layers: "图层",
    journal: "日志",
    play: "播放",
    pause: "暂停",
    speed: "速度",
    timeline: "时间轴",
    buildings: "建筑",
    streets: "街道",
    places: "地点",
    labels: "地名",
    translucent: "透视建筑",
    day: "白天",
    night: "夜晚",
    auto: "按时刻",
    light: "光线",
    camera: "视角",
    help: "按键与手势",
    close: "关闭",
    find: "按编号查找元件或单位",
    find_hint: "查找编号…",
    not_found: "没有此编号：",
    follow: "跟随",
    following: "正在跟随",
    stop: "停止跟随",
    plain: "单色",
    on: "是",
    off: "否",
    absent: "未记录",
    met: "达标",
    missed: "未达标",
    "not reached": "未达到",
    target: "目标",
    now: "当前",
    kpis: "关键指标",
    dark_note: "已关闭，开始时为开启",
    run_a: "甲",
    run_b: "乙",
    recorded_to: "记录至",
    of: "，全程",
    no_webgl: "此浏览器无法绘制三维画面（无 WebGL）：日志、关键指标与曲线仍可使用。",
    damaged: "文件已损坏：",
    nothing: "尚无记录。",
    apart_clock: "两次运行的时段不重叠：此处同时开始，时钟为甲的时钟。",
    apart_city: "两次运行属于不同的城市。",
    all: "全部",
    actions: "操作",
    warnings: "警告",
    more: "更多",
    building: "建筑",
    street: "街道",
    height: "高度",
    colour_by: "着色",
    scaled: "远看时，人与车辆以放大尺寸显示。",
    info: "关于此次运行",
    degraded: "降级",
    failed: "失败",
    interrupted: "中断",
    unfinished: "未完成",
    done: "完成",
    entries: "条",
    language: "English",
    language_name: "切换为英文",
    panel: "显示或隐藏面板",
    not_there: "现在不在城中",
    kind_action: "操作",
    kind_inject: "注入",
    kind_notice: "通知",
    kind_degraded: "降级",
    kind_flow: "流量",
  },
};

const KEYS = {
  en: [
    ["Space", "play, pause"],
    ["← →", "10 seconds back, on"],
    ["Shift ← →", "1 minute back, on"],
    ["Home End", "start, end"],
    ["+ −", "faster, slower"],
    ["1 … 9", "layers"],
    ["L", "place names"],
    ["N", "day, night"],
    ["T", "see through buildings"],
    ["F", "follow what is chosen"],
    ["C", "next camera"],
    ["0", "back to the camera's view"],
    ["P", "panels"],
    ["W A S D", "move over the city"],
    ["Q E", "turn"],
    ["Z X", "nearer, farther"],
    ["R V", "look down, look level"],
    ["Esc", "close, let go"],
    ["?", "this page"],
    ["Drag", "move; right button, or Ctrl: turn"],
    ["Wheel", "nearer, farther"],
    ["Two fingers", "turn, nearer, farther"],
    ["Click", "what is it, and its curve"],
  ],
  zh: [
    ["空格", "播放、暂停"],
    ["← →", "后退、前进 10 秒"],
    ["Shift ← →", "后退、前进 1 分钟"],
    ["Home End", "开始、结束"],
    ["+ −", "加快、减慢"],
    ["1 … 9", "图层"],
    ["L", "地名"],
    ["N", "白天、夜晚"],
    ["T", "透视建筑"],
    ["F", "跟随所选对象"],
    ["C", "下一个视角"],
    ["0", "回到该视角"],
    ["P", "面板"],
    ["W A S D", "在城市上方移动"],
    ["Q E", "旋转"],
    ["Z X", "拉近、拉远"],
    ["R V", "俯视、平视"],
    ["Esc", "关闭、放开"],
    ["?", "本页"],
    ["拖动", "移动；右键或 Ctrl：旋转"],
    ["滚轮", "拉近、拉远"],
    ["双指", "旋转、缩放"],
    ["点击", "查看对象及其曲线"],
  ],
};

const spoken = { language: "en" };

export function setLanguage(wanted) {
  spoken.language = WORDS[wanted] ? wanted : "en";
  return spoken.language;
}

export function say(key) {
  return WORDS[spoken.language][key] ?? key;
}

export function keys() {
  return KEYS[spoken.language];
}

export function placeName(name) {
  return (typeof name === "string" ? name : name?.[spoken.language] || name?.en || Object.values(name ?? {})[0]) ?? "";
}

// 'line_tripped' reads better as 'line tripped'.
export function plainWords(name) {
  return String(name ?? "").replaceAll("_", " ");
}

const UNITS = { 1: "", pu: "p.u.", percent: "%", m2: "m²", m3: "m³" };

export function unitText(unit) {
  const text = UNITS[unit] ?? unit ?? "";
  return text
    .replace(/1\/m2\b/, "/m²")
    .replace(/m3\b/, "m³")
    .replace(/m2\b/, "m²")
    .replace(/^1\//, "/");
}

export function numberText(value) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  const size = Math.abs(value);
  if (size > 0 && size < 0.1) return size < 1e-4 ? value.toExponential(1).replace("e", " × 10^") : String(Number(value.toPrecision(3)));
  const digits = size >= 1000 || Number.isInteger(value) ? 0 : size >= 100 ? 1 : size >= 1 ? 2 : 3;
  return value.toLocaleString("en-GB", { maximumFractionDigits: digits }).replaceAll(",", " ");
}

export function valueText(value, port) {
  if (value === null || value === undefined) return say("absent");
  if (typeof value === "boolean") return say(value ? "on" : "off");
  if (Math.abs(value) <= (port.high - port.low) / 65534) value = 0; // less than what is kept of it
  const unit = unitText(port.unit);
  return unit ? `${numberText(value)} ${unit}` : numberText(value);
}
