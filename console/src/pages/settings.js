// The settings of a topic and its groups: what is in force, who set it, what each does.
import { useId, useState } from 'preact/hooks';
import { html } from '../lib/html.js';
import { get, patch, path } from '../lib/api.js';
import { useLive } from '../lib/live.js';
import { bytes, count } from '../lib/number.js';
import { may } from '../lib/rights.js';
import { link, queueLink } from '../lib/route.js';
import { who } from '../lib/state.js';
import { duration, parseDuration } from '../lib/time.js';
import { Problem, Shown, Time, Waiting } from '../parts/basics.js';
import { Ask, Opens } from '../parts/dialog.js';
import { Table } from '../parts/table.js';

const ofTopic = (topic) => ({ data }) => data?.topic === topic;

// Of a group, beside its topic's.
export function Settings({ topic, group }) {
  const live = useLive(async (signal) => {
    const [all, shown, info] = await Promise.all([get('settings', {}, signal), get(path`topics/${topic}/groups/${group}`, {}, signal), get(path`topics/${topic}`, {}, signal)]);
    return { all: all.settings, shown, info };
  }, [topic, group], { every: 15000, when: ofTopic(topic) });
  if (!live.data) return html`<${Waiting} live=${live} />`;
  const { all, shown, info } = live.data;
  const groupWide = all.filter((setting) => setting.scope === 'group');
  const from = (setting) => (shown.own.includes(setting.setting) ? 'this group' : info.policy[setting.setting] !== setting.default ? 'its topic' : 'default');
  return html`<${Problem} problem=${live.problem} at=${live.at} />
    <p>What the group does not set itself is its topic’s: <a href=${link(['settings', topic])}>settings of the topic <${Shown} text=${topic} /></a>.</p>
    <${List} label=${`Settings of ${topic} / ${group}`} settings=${groupWide} valueOf=${(setting) => shown.policy[setting.setting]} from=${from} own=${(setting) => shown.own.includes(setting.setting)}
      allowed=${topic} where=${path`topics/${topic}/groups/${group}`} what=${`${topic} / ${group}`} done=${live.refresh} />`;
}

export function TopicSettings({ topic }) {
  const live = useLive(async (signal) => {
    const [all, info] = await Promise.all([get('settings', {}, signal), get(path`topics/${topic}`, {}, signal)]);
    return { all: all.settings, info };
  }, [topic], { every: 15000, when: ofTopic(topic) });
  const head = html`<nav class="crumbs" aria-label="Where you are"><a href="#/">Overview</a></nav><h1 tabindex="-1">Settings of <${Shown} text=${topic} /></h1>`;
  if (!live.data) return html`${head}<${Waiting} live=${live} />`;
  const { all, info } = live.data;
  return html`${head}<${Problem} problem=${live.problem} at=${live.at} />
    <p class="dim">Made <${Time} ms=${info.created} />; ${count(info.messages)} messages stored (${bytes(info.bytes)}). A changed setting takes effect at once, also for messages that wait.</p>
    <p>Its groups: ${info.groups.map((group) => html`<a key=${group.group} href=${queueLink(topic, group.group, 'settings')}><${Shown} text=${group.group} /></a>${group.own.length ? html` <span class="dim">(${group.own.length} of its own)</span>` : ''} `)}</p>
    <${List} label=${`Settings of ${topic}`} settings=${all} valueOf=${(setting) => info.policy[setting.setting]} from=${(setting) => (info.policy[setting.setting] === setting.default ? 'default' : 'this topic')} own=${(setting) => info.policy[setting.setting] !== setting.default}
      allowed=${topic} where=${path`topics/${topic}`} what=${topic} done=${live.refresh} />`;
}

export function valueText(setting, value) {
  if (value === undefined || value === null) return '–';
  if (setting.unit === 'choice') return setting.choices?.[value] ?? String(value);
  if (setting.unit === 'duration') return duration(value, 5);
  return setting.unit === 'size' ? bytes(value) : count(value);
}

function List({ label, settings, valueOf, from, own, allowed, where, what, done }) {
  const can = may(who.use(), 'admin', allowed);
  const columns = [
    { head: 'Setting', main: true, cell: (setting) => html`<code>${setting.option}</code>` },
    { head: 'In force', number: true, cell: (setting) => html`<span class=${`number${own(setting) ? ' strong' : ''}`}>${valueText(setting, valueOf(setting))}</span>` },
    { head: 'Set by', cell: (setting) => html`<span class=${own(setting) ? '' : 'dim'}>${from(setting)}</span>` },
    { head: 'What it does', wide: true, cell: (setting) => html`${setting.text}<div class="dim">default ${valueText(setting, setting.default)}${setting.unit === 'choice' ? `; ${(setting.choices ?? []).join(', ')}` : `; from ${valueText(setting, setting.min)} to ${valueText(setting, setting.max)}`}</div>` },
  ];
  if (can) columns.push({ head: 'Change', fit: true, cell: (setting) => html`<${Opens} className="small" label=${`Change… ${setting.option}`} dialog=${(close) => html`<${Change} ...${{ setting, where, what, done }} value=${valueOf(setting)} isOwn=${own(setting)} onClose=${close} />`}>Change…<//>` });
  return html`<${Table} label=${label} rows=${settings} columns=${columns} keyOf=${(setting) => setting.setting} empty="There are none." />`;
}

// { value } or { error }.
export function readValue(setting, text) {
  const value = setting.unit === 'choice' ? setting.choices.indexOf(text) : setting.unit === 'duration' ? parseDuration(text) : /^\d+$/.test(text.trim()) ? Number(text) : NaN;
  if (Number.isNaN(value)) return { error: setting.unit === 'duration' ? 'A time such as 90s or 1h30m.' : 'A whole number.' };
  if (value < setting.min || value > setting.max) return { error: `From ${valueText(setting, setting.min)} to ${valueText(setting, setting.max)}.` };
  return { value };
}

function Change({ setting, where, what, done, value, isOwn, onClose }) {
  const [text, setText] = useState(setting.unit === 'choice' || setting.unit === 'duration' ? valueText(setting, value) : String(value));
  const [inherit, setInherit] = useState(false);
  const id = useId();
  const read = readValue(setting, text);
  const act = async (reason) => {
    await patch(where, { policy: { [setting.setting]: inherit ? null : read.value }, reason });
    done();
    return `${setting.option} of ${what} is ${inherit ? 'inherited' : valueText(setting, read.value)} now.`;
  };
  return html`<${Ask} title=${`Change ${setting.option} of ${what}`} verb="Change it" act=${act} can=${inherit || !read.error} onClose=${onClose}>
    <p>${setting.text}.</p>
    <div class="field"><label for=${id}>New value <span class="dim">(now ${valueText(setting, value)})</span></label>
      ${setting.unit === 'choice' ? html`<select id=${id} name="value" disabled=${inherit} value=${text} onChange=${(event) => setText(event.target.value)}>${setting.choices.map((name) => html`<option key=${name} value=${name}>${name}</option>`)}</select>` : html`<input id=${id} name="value" autocomplete="off" disabled=${inherit} value=${text} onInput=${(event) => setText(event.target.value)} />`}
      <span class="hint" role="status">${!inherit && read.error ? html`<span class="bad-text">${read.error}</span>` : setting.unit === 'size' ? 'in bytes' : ''}</span></div>
    ${isOwn && html`<label class="check"><input type="checkbox" checked=${inherit} onChange=${(event) => setInherit(event.target.checked)} /> Restore what it inherits</label>`}
  <//>`;
}
