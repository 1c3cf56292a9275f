// The look of <wire-view>. Its colours are those of the page.
//
// The hue of a row says who it is about, and nothing else: no other part is coloured so.

export const STYLE = `
  :host { display: block; height: 100%; container: wire / inline-size; }
  .view { --row: 28px; --type: 14px; --small: 13px; --share: 30cqi;
    --kind: calc(var(--type) * 5.6); --bytes: calc(var(--type) * 3.6);
    --lane: clamp(34px, calc(var(--share) / var(--lanes)), 92px);
    position: relative; display: grid; height: 100%; min-height: 12rem; color: var(--ink);
    grid: auto minmax(0, 1fr) auto / minmax(0, 1fr) auto;
    grid-template-areas: "toolbar toolbar" "rows panel" "footer footer";
    background: var(--paper); font: var(--small)/1.4 system-ui, sans-serif; }
  * { box-sizing: border-box; }
  [hidden] { display: none !important; }
  .hidden { position: absolute; width: 1px; height: 1px; margin: 0; overflow: hidden;
    clip-path: inset(50%); white-space: nowrap; }
  :focus-visible { outline: 2px solid var(--accent); outline-offset: -2px; }

  .hue-0 { --hue: light-dark(#0b5fb0, #7ab8f5); }
  .hue-1 { --hue: light-dark(#8b3a9e, #d79bea); }
  .hue-2 { --hue: light-dark(#1a7350, #6fd0a5); }
  .hue-3 { --hue: light-dark(#94560a, #eeb063); }

  /* The toolbar. */

  .toolbar { grid-area: toolbar; display: flex; flex-wrap: wrap; gap: 6px 16px;
    justify-content: space-between; padding: 8px 12px; border-block-end: 1px solid var(--line); }
  .toolbar [role="group"] { display: flex; gap: 4px; align-items: center; }
  .toolbar .filters { flex: 1 1 auto; gap: 10px; min-width: min-content; }
  button, input { min-height: 30px; padding: 2px 7px; font: inherit; color: inherit;
    background: var(--card); border: 1px solid var(--line); border-radius: 6px;
    white-space: nowrap; }
  button { cursor: pointer; }
  button:hover { border-color: currentcolor; }
  .toolbar .clients { flex-wrap: wrap; }
  .clients button { font-weight: 600; color: var(--hue); }
  [aria-pressed="true"] { color: var(--paper) !important; background: var(--ink); }
  .clients [aria-pressed="true"] { background: var(--hue); }
  input { flex: 1 1 5rem; width: 5rem; max-width: 12rem; border-color: var(--edge); }
  big { font-size: 1.3em; font-weight: 700; line-height: 1; }

  /* The list: what is in a row is in the same place in all rows. */

  .rows { grid-area: rows; position: relative; display: flex; flex-direction: column;
    min-height: 0; }
  .list:focus-visible[aria-activedescendant] { outline: none; }
  .list:focus-visible .row[aria-selected="true"] { outline: 2px solid var(--accent);
    outline-offset: -2px; }
  .list { flex: 1; overflow: hidden auto; overflow-anchor: none; scrollbar-gutter: stable; }
  .space { position: relative; overflow: hidden; }
  .row, .names { display: grid; align-items: center; column-gap: 14px; padding-inline: 12px;
    grid-template-columns: calc(var(--type) * 5.4) calc(var(--lane) * var(--lanes))
      var(--kind) var(--bytes) minmax(0, 1fr) auto;
    height: var(--row); font: var(--type)/1 ui-monospace, monospace; white-space: pre; }
  .row { position: absolute; inset: 0 0 auto; cursor: default; contain: strict; }
  .names { height: 36px; padding-inline-end: 27px; color: var(--quiet);
    border-block-end: 1px solid var(--line); font: var(--small)/1 system-ui, sans-serif; }
  .row:hover { background: light-dark(#0000000a, #ffffff0d); }
  .row[aria-selected="true"] { background: light-dark(#efe9dc, #35302a);
    box-shadow: inset 4px 0 var(--accent); }
  .pause { border-block-start: 1px solid var(--line); }
  .time, .bytes { text-align: end; color: var(--quiet); }
  .pause .time { font-weight: 700; color: var(--ink); }
  .row > * { grid-row: 1; }
  .time { grid-column: 1; }
  .lanes { grid-column: 2; }
  .kind { grid-column: 3; }
  .bytes { grid-column: 4; }
  .says { grid-column: 5; }
  .hex { grid-column: 6; }
  .kind, .hex { color: var(--quiet); }
  .bytes b { display: none; }
  .says { overflow: hidden; text-overflow: ellipsis; line-height: 1.5; }
  .hex { display: none; width: calc(var(--type) * 12); }
  .json, .copy .says, .tcp .says, .ping .says, .pong .says { color: var(--quiet); }
  em { font-style: normal; color: var(--ink); }
  .copy em { color: inherit; }
  .close :is(.kind, .says) { color: var(--accent); }
  .fault :is(.kind, .says, em) { font-weight: 700; color: var(--accent); }
  :is(.gap, .note) { background: light-dark(#f8e9e1, #3b2a22); }

  /* The lanes. */

  .lanes { position: relative; align-self: stretch; }
  .lanes > * { --x: calc((var(--at) + 0.5) * var(--lane)); position: absolute; }
  .names b { inset-block-start: 50%; inset-inline-start: var(--x); width: max-content; max-width: calc(var(--lane) + 10px);
    padding: 4px min(8px, calc(var(--lane) / 13)); overflow: hidden;
    font-size: clamp(10px, calc(var(--lane) / 4.4), var(--small)); text-overflow: ellipsis; color: var(--hue);
    text-align: center; white-space: normal; border-radius: 1em; transform: translate(-50%, -50%);
    background: color-mix(in srgb, var(--hue) 14%, transparent); }
  .names .server { color: var(--ink); background: none; border: 1px solid var(--edge); }
  i { inset: 0 auto 0 var(--x); border-inline-start: 2px solid var(--hue); opacity: 0.6;
    transform: translateX(-50%); }
  i.server { border-color: var(--edge); border-width: 3px; opacity: 1; }
  i.off { border-inline-start: 1px dotted var(--edge); }
  i.begin { inset-block-start: 50%; }
  i.end { inset-block-end: 50%; border-inline-start: 2px solid var(--hue); opacity: 1; }
  i.end::after { content: "×"; position: absolute; inset: 100% auto auto -1px; color: var(--hue);
    font-weight: 700; transform: translate(-50%, -50%); }
  .arrow { inset-block: calc(50% - 1px) auto; inset-inline-start: calc(var(--x) + 4px);
    width: calc(var(--over) * var(--lane) - 8px); border-block-start: 2px solid var(--hue); }
  .arrow::after { content: ""; position: absolute; inset-block-start: -6px; width: 8px;
    height: 10px; background: var(--hue); clip-path: polygon(0 0, 100% 50%, 0 100%); }
  .arrow.right::after { inset-inline-end: -1px; }
  .arrow.left::after { inset-inline-start: -1px; transform: scaleX(-1); }
  .arrow:is(.request, .response) { border-width: 4px; margin-top: -1px; }
  .arrow:is(.request, .response)::after { inset-block-start: -7px; }
  .arrow.close { border-width: 3px; }
  .arrow:is(.ping, .pong) { border-block-start-style: dotted; }
  .arrow.tcp { border-width: 1px; }

  .empty { position: absolute; inset: 6rem 0 auto; margin: 0; text-align: center;
    color: var(--quiet); }

  /* The panel. */

  .panel { grid-area: panel; width: min(42cqi, 560px); padding: 16px 24px; overflow: auto;
    border-inline-start: 1px solid var(--line); }
  .panel h2 { margin: 4px 0; font-size: 1.35em; }
  .panel h3 { margin: 24px 0 8px; font-size: 1em; color: var(--quiet); }
  .panel p { margin: 8px 0; color: var(--quiet); }
  .panel .close { float: inline-end; }
  .panel :is(section, p) + dl { margin-block-start: 12px; }
  .panel :is(pre, .json, .head, code, table, .bits b, .bits > span, textarea) {
    font: var(--type)/1.6 ui-monospace, monospace; }
  .panel :is(pre, .json, .head, dd) { margin: 0; white-space: pre-wrap; overflow-wrap: anywhere; }
  .panel .json { color: var(--quiet); }
  .panel .json b { color: var(--ink); }
  .panel .json details > :not(summary) { padding-inline-start: 2ch; }
  .panel .json details > :last-child { padding-inline-start: 0; }
  summary { cursor: pointer; }
  summary small { opacity: 0; font-size: 0.85em; }
  details:not([open]) > summary small, summary:hover small { opacity: 1; }
  dl { display: grid; grid-template-columns: auto 1fr; gap: 6px 16px; margin: 0; }
  dt { color: var(--quiet); }
  dd { color: var(--ink); }
  .head { padding: 0; list-style: none; color: var(--quiet); }
  .head .upgrade { color: var(--ink); background: light-dark(#fbe3d3, #4a3022);
    box-shadow: -4px 0 light-dark(#fbe3d3, #4a3022), 4px 0 light-dark(#fbe3d3, #4a3022); }
  .bits { display: grid; grid-template-columns: repeat(16, minmax(0, 1fr)); gap: 4px;
    text-align: center; }
  .bits > span { grid-column: span 8; color: var(--quiet);
    border-block-end: 2px solid var(--line); }
  .bits div { padding: 6px 2px; border-radius: 6px; }
  .bits :is(b, small) { display: block; overflow-wrap: anywhere; line-height: 1.3; }
  .bits b { font-weight: 400; }
  .first { background: light-dark(#fbe3d3, #4a3022); }
  .second { background: light-dark(#dcebfa, #203a52); }
  .bits .key, tr.key td { background: light-dark(#e6e0f7, #362d55); }
  tr.plain td { background: light-dark(#dff1e4, #21402c); }
  table { width: 100%; border-collapse: collapse; }
  th { padding-inline-end: 8px; font: inherit; font-family: system-ui, sans-serif;
    font-size: var(--small); color: var(--quiet); text-align: start; white-space: nowrap; }
  td { padding: 0; text-align: center; }
  textarea { width: 100%; color: inherit; background: var(--card);
    border: 1px solid var(--edge); }

  /* The footer. */

  footer { grid-area: footer; display: flex; gap: 12px; align-items: center; min-height: 36px;
    padding: 3px 12px; color: var(--quiet); border-block-start: 1px solid var(--line);
    white-space: nowrap; }
  .status { flex: 1; overflow: hidden; text-overflow: ellipsis; color: var(--ink); }
  .below { color: var(--accent); border-color: currentcolor; }

  /* Large type, for a classroom. */

  :host([large]) .view { --row: 40px; --type: 21px; --small: 17px; }
  :host([large]) .panel table { font-size: 17px; }

  /* Where there is much room, where there is little, and on phones. */

  @container wire (width > 1600px) {
    .panel { width: 620px; }
    .view:not(.open) .hex { display: block; }
  }
  @container wire (1000px <= width < 1500px) {
    .open { --share: 15cqi; }
    .open :is(.row, .names) { column-gap: 10px; }
    .panel { width: 40cqi; }
    :host([large]) .open { --kind: 0px; }
    :host([large]) .open .kind { visibility: hidden; }
  }
  @container wire (width < 1000px) {
    .view { grid: auto minmax(0, 1fr) minmax(0, 1.3fr) auto / minmax(0, 1fr);
      grid-template-areas: "toolbar" "rows" "panel" "footer"; }
    .view:not(.open) { grid-template-rows: auto minmax(0, 1fr) 0 auto; }
    .panel { width: auto; border-inline-start: 0; border-block-start: 2px solid var(--accent); }
    .toolbar .filters { flex-wrap: wrap; }
    .keys { display: none; }
  }
  @container wire (width < 640px) {
    .view { --row: 46px; }
    :host([large]) .view { --row: 64px; }
    .toolbar { flex-wrap: nowrap; flex-direction: column-reverse; }
    .toolbar > [role="group"] { overflow-x: auto; }
    button, input { min-height: 40px; flex: none; }
    input { flex: 0 0 9rem; }
    .names { display: none; }
    .toolbar :is(.filters, .clients) { flex: none; flex-wrap: nowrap; min-width: 0; }
    .row { grid: auto auto / auto auto 1fr auto; gap: 5px 10px; align-content: center;
      align-items: baseline; }
    .row .who { grid-column: 1; position: static; width: auto; height: auto; font-weight: 600;
      line-height: 1.2; color: var(--hue); clip-path: none; }
    .row .kind { grid-column: 2; }
    .row .bytes { grid-column: 3; text-align: start; }
    .row .bytes b { display: inline; font-weight: 400; }
    .row .time { grid-column: 4; }
    .row .says { grid-area: 2 / 1 / 3 / 5; line-height: 1.2; }
    .row :is(.lanes, .hex) { display: none; }
    .row { border-block-end: 1px solid var(--line); }
    .list { scrollbar-gutter: auto; }
    .panel { padding: 12px 16px; }
  }

  @media (forced-colors: active) {
    .lanes { forced-color-adjust: none; color: CanvasText; }
    :is(.hue-0, .hue-1, .hue-2, .hue-3) { --hue: CanvasText; }
    .lanes { --edge: CanvasText; }
    .row[aria-selected="true"] { forced-color-adjust: none; color: HighlightText;
      background: Highlight; --ink: HighlightText; --quiet: HighlightText;
      --accent: HighlightText; --edge: HighlightText; }
    .row[aria-selected="true"] :is(.who, .lanes *) { --hue: HighlightText;
      --edge: HighlightText; }
    .bits div, tr:is(.key, .plain) td { border: 1px solid; }
    .bits .key, tr.key td { border-style: dashed; }
    .head .upgrade { font-weight: 700; }
    [aria-pressed="true"] { forced-color-adjust: none; color: HighlightText !important;
      background: Highlight !important; }
  }`;
