/**
 * Stands in for react-style-singleton, by which GraphiQL's menus write a style
 * element to stop the page behind them from scrolling. The page's policy
 * refuses inline styles, and the playground does not scroll.
 */
export const styleSingleton = () => () => null
