// Numbers as people read them.
const whole = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });

// `1,204`.
export const count = (number) => whole.format(number);

// `1,204 letters`, `1 letter`.
export const plural = (number, one, many = one + 's') => `${count(number)} ${number === 1 ? one : many}`;

const sizes = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

// `1.5 GiB`.
export function bytes(number) {
  let at = 0;
  let size = number;
  while (size >= 1024 && at < sizes.length - 1) {
    size /= 1024;
    at++;
  }
  return `${at && size < 10 ? size.toFixed(1) : Math.round(size)} ${sizes[at]}`;
}

// Messages in a second: `0`, `0.3`, `12`, `1,204`.
export function rate(perSecond) {
  if (perSecond <= 0) return '0';
  if (perSecond < 0.1) return '<0.1';
  return perSecond < 10 ? perSecond.toFixed(1) : count(perSecond);
}

// A share of a whole: `0 %`, `<1 %`, `42 %`.
export function percent(part, of) {
  if (!of || !part) return '0 %';
  const share = (100 * part) / of;
  if (share < 1) return '<1 %';
  return share > 99 && part < of ? '>99 %' : `${Math.round(share)} %`;
}
