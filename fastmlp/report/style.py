"""The look of a page, in light and dark and on paper."""

__all__ = ["STYLE"]

STYLE = """
:root { color-scheme: light dark; --back: #fff; --panel: #f6f7f9; --ink: #1c2127; --soft: #5c6570;
  --line: #dfe3e8; --one: #2a6db0; --two: #c0561c; --over: #fff; --cell: #eef1f4; }
@media (prefers-color-scheme: dark) { :root { --back: #15181c; --panel: #1d2126; --ink: #e4e7eb;
  --soft: #9aa4b0; --line: #343a42; --one: #6aaae8; --two: #ee9458; --over: #10161d;
  --cell: #252a31; } }
@media print { :root { color-scheme: light; --back: #fff; --panel: #fff; --ink: #000; --soft: #444;
  --line: #ccc; --one: #2a6db0; --two: #c0561c; --over: #fff; --cell: #f2f2f2; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1.25rem 4rem; max-width: 1060px; background: var(--back);
  color: var(--ink); font: 15px/1.5 system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial,
  sans-serif; overflow-wrap: break-word; }
h1 { font-size: 1.65rem; line-height: 1.25; margin: 0 0 .35rem; }
h2 { font-size: 1.15rem; margin: 2.4rem 0 .8rem; padding-top: 1rem;
  border-top: 1px solid var(--line); break-after: avoid; }
p { margin: .4rem 0; } .soft, figcaption, footer { color: var(--soft); font-size: .875rem; }
.verdict { font-size: 1.05rem; margin: .6rem 0 1.4rem; }
.row { display: grid; gap: 1.25rem; align-items: start;
  grid-template-columns: repeat(auto-fill, minmax(min(26rem, 100%), 1fr)); }
.stack { display: grid; gap: inherit; min-width: 0; }
figure { margin: 0; padding: 1rem 1rem .8rem; background: var(--panel);
  border: 1px solid var(--line); border-radius: 8px; break-inside: avoid; min-width: 0; }
figure h3 { font-size: .95rem; margin: 0 0 .5rem; } figcaption { margin-top: .4rem; }
svg { display: block; width: 100%; height: auto; font: 12px system-ui, "Segoe UI", Roboto,
  "Helvetica Neue", Arial, sans-serif; }
table { border-collapse: collapse; font-size: .9rem; max-width: 100%; }
td { overflow-wrap: break-word; } .facts td { overflow-wrap: anywhere; }
th, td { text-align: left; vertical-align: top; padding: .3rem .9rem .3rem 0;
  border-bottom: 1px solid var(--line); }
th { font-weight: 600; } thead th { color: var(--soft); font-weight: 500; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; padding-left: 1rem;
  white-space: nowrap; }
table.facts th { white-space: nowrap; font-weight: 500; color: var(--soft); }
tr { break-inside: avoid; } thead { display: table-header-group; }
.wide { overflow-x: auto; } .tall { max-height: 30rem; overflow: auto; }
ul { margin: .5rem 0; padding-left: 1.2rem; }
footer { margin-top: 3rem; }
text { fill: var(--ink); } .tick { fill: var(--soft); } .label { fill: var(--soft); }
.mid { text-anchor: middle; } .end { text-anchor: end; }
.grid { stroke: var(--line); } .axis { stroke: var(--soft); }
.guide { stroke: var(--soft); stroke-dasharray: 4 4; }
.curve, .joint { fill: none; stroke-width: 2; stroke-linejoin: round; stroke-linecap: round; }
.training { stroke: var(--two); stroke-dasharray: 5 4; } .validation { stroke: var(--one); }
.best { fill: var(--one); stroke: var(--panel); stroke-width: 1.5; }
.dots, .heat, .bar { fill: var(--one); } .below { fill: var(--two); }
.joint { stroke: var(--one); stroke-width: 1.2; } .spread { stroke: var(--one); stroke-width: 1.5; }
.rows { fill: var(--soft); fill-opacity: .28; }
.cell { fill: var(--cell); stroke: var(--panel); } .over { fill: var(--over); }
@media print { body { max-width: none; padding: 0; font-size: 10.5pt; }
  .tall, .wide { max-height: none; overflow: visible; }
  .row { grid-template-columns: 1fr 1fr; gap: .8rem; }
  * { -webkit-print-color-adjust: exact; print-color-adjust: exact; } }
"""
"""Style sheet; colours are named once and used by the charts too."""
