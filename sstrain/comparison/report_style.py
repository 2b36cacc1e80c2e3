"""How report.html looks, on a screen and on paper."""

__all__ = ["STYLE"]

STYLE = """
:root { color-scheme: light; }
* { box-sizing: border-box; }
body {
  margin: 0 auto; padding: 1.5rem 1.2rem 4rem; max-width: 80rem; background: #fff; color: #1a1a1a;
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
}
h1 { font-size: 1.8rem; line-height: 1.2; margin: 0.5rem 0 1rem; }
h2 { font-size: 1.3rem; margin: 2.4rem 0 0.6rem; border-bottom: 1px solid #ccc; }
p, li, dd { max-width: 46rem; }
nav ul { display: flex; flex-wrap: wrap; gap: 0.2rem 1.2rem; padding: 0; list-style: none; }
nav li { max-width: none; }
a { color: #00568a; }
.recommendation {
  max-width: none; margin: 1rem 0; padding: 0.9rem 1.2rem; font-size: 1.15rem;
  border-left: 6px solid #0072b2; background: #eef5fa; overflow-wrap: anywhere;
}
figure { margin: 1.2rem 0 2rem; }
figure img { display: block; max-width: 100%; height: auto; margin: 0 auto; }
figcaption, caption { font-size: 0.9rem; color: #333; text-align: left; }
figcaption { max-width: 52rem; margin: 0.4rem auto 0; }
caption { padding: 0.3rem 0; }
.wide { overflow-x: auto; margin: 0.8rem 0 1.4rem; }
table { border-collapse: collapse; font-size: 0.85rem; font-variant-numeric: tabular-nums; }
th, td { padding: 0.25rem 0.6rem; text-align: right; vertical-align: top; }
th[scope="row"], .text td, .text th { text-align: left; overflow-wrap: break-word; }
th[scope="row"] { font-weight: normal; min-width: 9rem; }
thead th { border-bottom: 1px solid #444; vertical-align: bottom; }
thead th:first-child { text-align: left; }
thead th[scope="colgroup"] { text-align: center; border-left: 1px solid #ccc; }
table.many { font-size: 0.75rem; }
table.many th, table.many td { padding: 0.25rem 0.35rem; }
tbody tr { border-bottom: 1px solid #e4e4e4; }
tbody tr.reference { font-weight: 600; background: #f4f4f4; }
td small { display: block; color: #555; white-space: nowrap; }
dt { font-weight: 600; margin-top: 0.5rem; }
dd { margin: 0 0 0 1.2rem; }
pre {
  padding: 0.8rem 1rem; background: #f6f6f6; font-size: 0.8rem; line-height: 1.35;
  white-space: pre-wrap; overflow-wrap: anywhere;
}
@page { margin: 14mm; }
@media print {
  body { max-width: none; padding: 0; font-size: 10pt; }
  nav { display: none; }
  a { color: inherit; text-decoration: none; }
  h2 { break-after: avoid; }
  figure, tr, .recommendation, dt, caption { break-inside: avoid; }
  figure img { max-height: 225mm; width: auto; }
  dt, caption { break-after: avoid; }
  .wide { overflow: visible; }
  table { width: 100%; font-size: 7.5pt; }
  table.many { font-size: 6.3pt; }
  thead { display: table-header-group; }
  th, td, table.many th, table.many td { padding: 0.15rem 0.25rem; }
  th[scope="row"] { min-width: 0; }
  td small { white-space: normal; }
  .recommendation, tbody tr.reference, pre { background: none; }
  pre { border: 1px solid #ccc; font-size: 7.5pt; }
}
"""
