// Redrives, purges and deletions: how far each is, and what came of it.
import { html } from '../lib/html.js';
import { eachPage, get, path, post } from '../lib/api.js';
import { filterText } from '../lib/filter.js';
import { useLive } from '../lib/live.js';
import { count, percent, plural } from '../lib/number.js';
import { may } from '../lib/rights.js';
import { link, queueLink } from '../lib/route.js';
import { who } from '../lib/state.js';
import { commandLine } from '../lib/text.js';
import { duration, now } from '../lib/time.js';
import { Badge, Count, Fact, Facts, Problem, Shown, Time, Waiting } from '../parts/basics.js';
import { Commands } from '../parts/copy.js';
import { Ask, Opens } from '../parts/dialog.js';
import { Table } from '../parts/table.js';

const kinds = { redrive: 'redrive', purge_dlq: 'purge of dead letters', purge: 'purge', drop: 'deletion', causes: 'counting of causes' };
const phases = { running: 'info', canary: 'info', ramp: 'info', held: 'warn', paused: 'warn', draining: 'info', done: 'good', cancelled: 'mute', stopped: 'bad' };
const ofJobs = ({ event, data }) => /^(job_|dlq_redriven|dlq_purged|topic_purged|dead_letters)/.test(event) || Boolean(data?.job);

const Phase = ({ job }) => html`<${Badge} kind=${phases[job.phase] ?? 'mute'}>${job.phase}<//>`;
const Progress = ({ job }) => html`<span class="share"><progress max=${Math.max(1, job.total)} value=${job.done} aria-label=${`Job ${job.job}: moved`}></progress><span class="number">${count(job.done)} of ${count(job.total)}</span></span>`;
const failed = (job) => (job.outcomes ? job.outcomes.failed_same + job.outcomes.failed_other : 0);

export function Jobs() {
  const live = useLive(async (signal) => {
    const jobs = [];
    await eachPage('jobs', { limit: 1000 }, (page) => {
      jobs.push(...page.jobs);
      page.next ??= page.jobs.at(-1)?.job;
    }, signal);
    return jobs.reverse();
  }, [], { every: 2000, when: ofJobs });
  const head = html`<h1 tabindex="-1">Jobs</h1>`;
  if (!live.data) return html`${head}<${Waiting} live=${live} />`;
  return html`${head}<${Problem} problem=${live.problem} at=${live.at} />
    <${Table} label="Jobs" rows=${live.data} keyOf=${(job) => job.job} kindOf=${(job) => (job.phase === 'stopped' ? 'row-bad' : '')} empty="No job runs, and none is remembered." columns=${[
      { head: 'Job', main: true, cell: (job) => html`<a class="strong" href=${link(['jobs', job.job])}>${job.job}</a>` },
      { head: 'What', cell: (job) => kinds[job.kind] ?? job.kind },
      { head: 'Queue', cell: (job) => html`<${Place} job=${job} />` },
      { head: 'Phase', cell: (job) => html`<${Phase} job=${job} />` },
      { head: 'Moved', cell: (job) => html`<${Progress} job=${job} />` },
      { head: 'Acked', number: true, cell: (job) => (job.outcomes ? html`<${Count} of=${job.outcomes.acked} />` : '') },
      { head: 'Failed', number: true, cell: (job) => (job.outcomes ? html`<${Count} of=${failed(job)} strong />` : '') },
      { head: 'Pending', number: true, cell: (job) => (job.outcomes ? html`<${Count} of=${job.outcomes.pending} />` : '') },
      { head: 'Begun', cell: (job) => html`<${Time} ms=${job.begun} />` },
    ]} />`;
}

function Place({ job }) {
  if (!job.topic) return html`<span class="dim">all</span>`;
  const text = html`<${Shown} text=${job.topic} />${job.group && html` / <${Shown} text=${job.group} />`}`;
  return job.group && job.kind !== 'drop' ? html`<a href=${queueLink(job.topic, job.group)}>${text}</a>` : text;
}

export function Job({ number }) {
  const live = useLive((signal) => get(path`jobs/${number}`, {}, signal), [number], { every: 1000, when: ofJobs });
  const head = (job) => html`<nav class="crumbs" aria-label="Where you are"><a href="#/jobs">Jobs</a></nav><div class="page-head"><h1 tabindex="-1">Job ${number}${job ? html`<span class="dim">: ${kinds[job.kind] ?? job.kind}</span>` : ''}</h1>${job && html`<${Phase} job=${job} />`}</div>`;
  if (!live.data) return html`${head()}<${Waiting} live=${live} />`;
  const job = live.data;
  const filter = Object.fromEntries(Object.entries(job.filter ?? {}).filter(([, value]) => value !== null).map(([name, value]) => [name, Array.isArray(value) ? value.join('=') : String(value)]));
  return html`${head(job)}<${Acts} job=${job} refresh=${live.refresh} /><${Problem} problem=${live.problem} at=${live.at} />
    ${job.why && html`<p class=${`lead${job.phase === 'stopped' ? ' bad-text' : ''}`} role="status"><${Shown} text=${job.why} /></p>`}
    <section aria-label="Progress"><progress class="whole" max=${Math.max(1, job.total)} value=${job.done} aria-label="Moved"></progress>
      <p><strong class="number">${count(job.done)}</strong> of ${count(job.total)} moved (${percent(job.done, job.total)})${job.state === 'running' && job.rate ? html`, at ${count(job.rate)} a second: about ${duration(((job.total - job.done) / job.rate) * 1000)} left` : ''}</p></section>
    ${job.outcomes && html`<${Outcomes} job=${job} />`}
    <${Facts}>
      <${Fact} name="Queue"><${Place} job=${job} /><//>
      ${job.to && html`<${Fact} name="Letters go to"><${Shown} text=${job.to} /><//>`}
      ${Object.keys(filter).length > 0 && html`<${Fact} name="Which letters"><code><${Shown} text=${filterText(filter)} /></code><//>`}
      <${Fact} name="Begun"><${Time} ms=${job.begun} /><//>
      <${Fact} name=${job.ended ? 'Ended' : 'Runs for'}>${job.ended ? html`<${Time} ms=${job.ended} />` : duration(now() - job.begun)}<//>
      ${job.kind === 'redrive' && html`<${Fact} name="Rate">${job.rate ? `${count(job.rate)} a second` : 'as fast as possible'}<//>
        <${Fact} name="Canary">${job.canary ? plural(job.canary, 'letter') : 'none'}<//>
        <${Fact} name="Stops at failures of">${job.max_fail === null || job.max_fail === undefined ? 'nothing: it goes on' : `${job.max_fail / 10} %`}<//>
        ${job.spread_ms ? html`<${Fact} name="Spread over">${duration(job.spread_ms)}<//>` : ''}
        ${typeof job.hold_for_build === 'string' && html`<${Fact} name="Waits for build">${job.hold_for_build ? html`<${Shown} text=${job.hold_for_build} />` : 'any other than those that failed'}<//>`}
        ${job.keep_deadline && html`<${Fact} name="Deadlines">are kept<//>`}`}
    <//>
    <${Commands} commands=${[['Watch it', commandLine('shunt', job.kind === 'redrive' ? 'redrive' : 'job', job.kind === 'redrive' ? 'watch' : 'show', job.job)]]} />`;
}

const outcomeNames = [['acked', 'acked', 'good'], ['moved', 'moved to another topic', 'good'], ['failed_same', 'failed of the same cause', 'bad'], ['failed_other', 'failed of another cause', 'warn'], ['gone', 'gone', 'mute'], ['pending', 'pending', 'info']];

function Outcomes({ job }) {
  const rows = outcomeNames.filter(([name]) => job.outcomes[name]);
  const sum = rows.reduce((all, [name]) => all + job.outcomes[name], 0);
  let at = 0;
  return html`<section aria-label="Outcomes"><h2>What came of them</h2>
    ${sum > 0 && html`<svg class="outcomes" viewBox="0 0 1000 16" preserveAspectRatio="none" aria-hidden="true">${rows.map(([name, , kind]) => {
      const width = (1000 * job.outcomes[name]) / sum;
      at += width;
      return html`<rect key=${name} class=${kind} x=${at - width} y="0" height="16" width=${width} />`;
    })}</svg>`}
    <ul class="legend">${outcomeNames.filter(([name]) => name !== 'moved' || job.outcomes.moved).map(([name, text, kind]) => html`<li key=${name}><${Badge} kind=${kind}>${text}<//> <${Count} of=${job.outcomes[name]} strong /></li>`)}</ul></section>`;
}

function Acts({ job, refresh }) {
  const me = who.use();
  const needs = { redrive: ['dlq-redrive'], purge_dlq: ['dlq-purge'], purge: ['admin'] }[job.kind];
  if (job.state !== 'running' || !needs?.every((right) => may(me, right, job.topic))) return null;
  const left = plural(job.total - job.done, 'message');
  const act = (verb, done) => async (reason) => {
    await post(path`jobs/${job.job}/${verb}`, { reason });
    refresh();
    return `Job ${job.job} ${done}.`;
  };
  return html`<div class="acts">
    ${job.phase === 'paused'
      ? html`<${Opens} className="primary" dialog=${(close) => html`<${Ask} title=${`Resume job ${job.job}`} verb="Resume" onClose=${close} act=${act('resume', 'goes on')}><p>${left} are left.</p><//>`}>Resume…<//>`
      : html`<${Opens} dialog=${(close) => html`<${Ask} title=${`Pause job ${job.job}`} verb="Pause" onClose=${close} act=${act('pause', 'waits')}><p>${left} are left; they wait until somebody resumes it. Outcomes are counted meanwhile.</p><//>`}>Pause…<//>`}
    <${Opens} className="danger-plain" dialog=${(close) => html`<${Ask} title=${`Cancel job ${job.job}`} verb="Cancel the job" danger onClose=${close} act=${act('cancel', 'is cancelled')}><p>What it has done stays done; ${left} stay as they are. It cannot be resumed.</p><//>`}>Cancel…<//>
  </div>`;
}
