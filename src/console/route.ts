/** What every page of the console gets: the parts of its address behind the page's own name. */
export type PageProps = { route: string[] };
