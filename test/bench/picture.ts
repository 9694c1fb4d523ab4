/** The table of the benchmark as a picture. */
import * as echarts from "echarts";

export type Bar = { name: string; ours: number; seed: number };

/** Bars of the medians, with the floor as a line; an SVG document. */
export function picture(bars: Bar[], floor: number, distanceMs: number): string {
  const chart = echarts.init(null, null, { renderer: "svg", ssr: true, width: 900, height: 420 });
  const label = { show: true, position: "top", formatter: ({ value }: { value: unknown }) => Number(value).toFixed(1), fontSize: 10 } as const;
  chart.setOption({
    animation: false,
    backgroundColor: "#ffffff",
    title: { text: `Median answer time, Redis ${distanceMs} ms away`, subtext: "milliseconds; less is better", left: "center" },
    legend: { bottom: 0 },
    grid: { left: 48, right: 96, top: 72, bottom: 72 },
    xAxis: { type: "category", data: bars.map(({ name }) => name), axisLabel: { interval: 0, width: 80, overflow: "break" } },
    yAxis: { type: "value" },
    series: [
      {
        name: "onehop",
        type: "bar",
        data: bars.map(({ ours }) => ours),
        label,
        itemStyle: { color: "#0f766e" },
        markLine: {
          symbol: "none",
          data: [{ yAxis: floor }],
          lineStyle: { color: "#475569", type: "dashed" },
          label: { formatter: "one bare\nHGETALL", position: "end" },
        },
      },
      { name: "the seed's commands", type: "bar", data: bars.map(({ seed }) => seed), label, itemStyle: { color: "#d97706" } },
    ],
  });
  const svg = chart.renderToSVGString();
  chart.dispose();
  return svg;
}
