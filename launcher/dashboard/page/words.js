// What the page says, in the languages that it speaks. {…} is filled in.
const WORDS = {
  en: {
    skip: 'To the ranks', ranks: 'Ranks', events: 'Events', close: 'Close', last_lines: 'Last lines of stderr',
    filter: 'Filter: rank, node, section', marks: 'Show only', step: 'Step', of: 'of {total}', loss: 'Loss',
    samples_per_s: 'Samples/s', steps_per_s: 'Steps/s', left: 'Time left', ends: 'about {time}',
    eval_loss: 'Evaluation loss', learning_rate: 'Learning rate', grad_norm: 'Gradient norm',
    own: 'Own time a step', waiting: 'Waiting a step', by_rank: 'Own time and waiting by rank',
    of_each: 'the slowest of each {n} ranks', own_short: 'own', waiting_short: 'waiting', pid: 'Process (pid)',
    suspect: 'suspect', suspect_title: 'The report of the hang names it', slow: 'slow', behind: 'behind', old: 'old', none: 'no data', failed_mark: 'failed',
    slow_title: 'Own time over {factor} times the median', behind_title: 'Behind by more steps than {steps}',
    old_title: 'Its node has told nothing for 15 s', none_title: 'Its worker has sent nothing, or its agent is torchrun',
    running: 'running', hangs: 'hangs', hangs_since: 'No step since {time}, for {s}.', waiting_nodes: 'waiting for nodes', succeeded: 'succeeded', failed: 'failed', ended: 'ended', ended_by: 'ended by {signal}',
    lost: 'no connection', facts: '{where} · round {round} · {nodes} · {ranks} · restarts: {restarts}',
    a_node: '1 node', n_nodes: '{n} nodes', a_rank: '1 rank', n_ranks: '{n} ranks',
    missing_nodes: 'missing: --node-rank {ranks}',
    last_call: 'last call: the round begins in {s}', waiting_for_round: 'wait for a round: {names}', spare: 'spare: {names}',
    slowest: 'Slowest: rank {rank} on {host}, {own} of its own a step; the median is {median}',
    slowest_even: 'Slowest: none stands out; at most {own} of its own a step; the median is {median}',
    no_slowest_no_own: 'No rank sends its own time: who is slow cannot be told.',
    no_slowest_not_compared: 'No own times of steps can be compared now.',
    no_slowest_two_steps: 'Who is slow takes two steps to tell.', no_slowest_old: 'No node has told anything for 15 s.',
    count: '{shown} of {all}', rank: 'Rank', node: 'Node', host: 'Host', samples: 'Samples', section: 'Section',
    section_for: '{name}, for {s}', section_most: '{name}, for {s} of at most {most}', state: 'State',
    age: 'Last message', step_age: 'Last step', ago: '{s} ago', messages: 'Messages not read', wrong: 'Messages that are none',
    rank_n: 'Rank {n}', node_line: 'Node {rank} · {host}', heartbeat: 'heartbeat {s} ago', told_ago: 'told {s} ago',
    nothing_said: 'It has written nothing to stderr.', asking: 'Asking its node…', no_answer: 'Its node has not answered within {s}.',
    no_such_rank: 'Nobody knows where this rank is.', lines_failed: 'The page could not ask for them.',
    at_time: 'as of {time}', told: 'mdl-launch {version}, as of {time}.',
    keys: 'Keys: / filters, arrows move among ranks, Enter chooses, Esc closes.', connecting: 'Connecting…',
    no_connection: 'No connection. What stands here is of {time}; the page tries again by itself.', lost_for: '({s})',
    no_store: 'The store of the job does not answer ({why}). What stands here is of {time}.',
    host_again: 'The page is where the store of the job is ({where}). If a launcher was started there anew, its log has the new address.',
    other_token: 'Another launcher answers here, whose page has an address of its own: look for "dashboard:" in the log at {where}.',
    over: 'The job has ended, and its launcher with it. What stands here was known last.',
    over_by: 'The launcher that showed this was ended by {signal}. What stands here was known last.',
    kind_round: 'round', kind_restart: 'restart', kind_membership: 'nodes', kind_failed: 'failed', kind_signal: 'signal',
    kind_hang: 'hang', kind_straggler: 'straggler', kind_recovered: 'recovered', kind_succeeded: 'succeeded',
    cause: 'rank {rank} on {host}: {what}', cause_nobody: 'no rank is accused: {what}',
    chart: '{title}: points: {n}, the last at step {step}: {value}',
  },
  zh: {
    skip: '跳到各 rank', ranks: '各 rank', events: '事件', close: '关闭', last_lines: 'stderr 最后几行',
    filter: '筛选：rank、节点、阶段', marks: '只显示', step: '步数', of: '共 {total}', loss: '损失',
    samples_per_s: '样本/秒', steps_per_s: '步/秒', left: '剩余时间', ends: '约 {time}',
    eval_loss: '评估损失', learning_rate: '学习率', grad_norm: '梯度范数',
    own: '每步自身用时', waiting: '每步等待', by_rank: '各 rank 的自身用时与等待',
    of_each: '每 {n} 个 rank 中最慢的一个', own_short: '自身', waiting_short: '等待', pid: '进程 (pid)',
    suspect: '可疑', suspect_title: '挂起报告点名了它', slow: '慢', behind: '落后', old: '过时', none: '无数据', failed_mark: '失败',
    slow_title: '自身用时超过中位数的 {factor} 倍', behind_title: '落后超过 {steps} 步',
    old_title: '其节点已有 15 秒没有消息', none_title: '其 worker 没有发送任何消息，或其 agent 是 torchrun',
    running: '运行中', hangs: '挂起', hangs_since: '自 {time} 起没有完成任何一步，已 {s}。', waiting_nodes: '等待节点', succeeded: '已成功', failed: '已失败', ended: '已结束', ended_by: '被 {signal} 结束',
    lost: '无连接', facts: '{where} · 第 {round} 轮 · {nodes} · {ranks} · 重启：{restarts} 次',
    a_node: '1 个节点', n_nodes: '{n} 个节点', a_rank: '1 个 rank', n_ranks: '{n} 个 rank',
    missing_nodes: '缺少：--node-rank {ranks}',
    last_call: '最后召集：{s}后开始本轮', waiting_for_round: '等待下一轮：{names}', spare: '备用：{names}',
    slowest: '最慢：{host} 上的 rank {rank}，每步自身用时 {own}；中位数为 {median}',
    slowest_even: '没有明显最慢的 rank；每步自身用时最长 {own}；中位数为 {median}',
    no_slowest_no_own: '没有 rank 发送自身用时，无法判断谁慢。',
    no_slowest_not_compared: '目前没有可比较的每步自身用时。',
    no_slowest_two_steps: '完成两步之后才能判断谁慢。', no_slowest_old: '各节点已有 15 秒没有消息。',
    count: '{shown} / {all}', rank: 'Rank', node: '节点', host: '主机', samples: '样本数', section: '阶段',
    section_for: '{name}，已 {s}', section_most: '{name}，已 {s}，最长 {most}', state: '状态',
    age: '最近一条消息', step_age: '最近一步', ago: '{s}前', messages: '未读的消息', wrong: '无效的消息',
    rank_n: 'Rank {n}', node_line: '节点 {rank} · {host}', heartbeat: '心跳 {s}前', told_ago: '{s}前更新',
    nothing_said: '它没有向 stderr 写任何内容。', asking: '正在询问其节点……', no_answer: '其节点在 {s}内没有回答。',
    no_such_rank: '不知道这个 rank 在哪里。', lines_failed: '页面无法询问。',
    at_time: '截至 {time}', told: 'mdl-launch {version}，截至 {time}。',
    keys: '按键：/ 筛选，方向键在 rank 间移动，Enter 选择，Esc 关闭。', connecting: '正在连接……',
    no_connection: '没有连接。此处内容截至 {time}；页面会自动重试。', lost_for: '（{s}）',
    no_store: '作业的 store 没有回答（{why}）。此处内容截至 {time}。',
    host_again: '页面位于作业 store 所在之处（{where}）。如果那里重新启动了 launcher，其日志里有新的地址。',
    other_token: '这里应答的是另一个 launcher，它的页面有自己的地址：请在 {where} 的日志里查找 "dashboard:"。',
    over: '作业已结束，其 launcher 也已退出。此处是最后所知的内容。',
    over_by: '提供此页面的 launcher 已被 {signal} 结束。此处是最后所知的内容。',
    kind_round: '轮次', kind_restart: '重启', kind_membership: '节点', kind_failed: '失败', kind_signal: '信号',
    kind_hang: '挂起', kind_straggler: '掉队', kind_recovered: '已恢复', kind_succeeded: '成功',
    cause: '{host} 上的 rank {rank}：{what}', cause_nobody: '无法归责于任何 rank：{what}',
    chart: '{title}：{n} 个点，最后在第 {step} 步：{value}',
  },
};

let words = WORDS.en;

/** The words of `key` with what stands in braces filled in; the key itself where there are none. */
function say(key, values = {}) {
  const text = words[key] ?? WORDS.en[key] ?? key;
  return text.replace(/\{(\w+)\}/g, (all, name) => (name in values ? String(values[name]) : all));
}

/** "1 node", "2,000 nodes". */
function countOf(noun, n) {
  return n === 1 ? say(`a_${noun}`) : say(`n_${noun}s`, {n: grouped(n)});
}

function language() {
  return words === WORDS.zh ? 'zh' : 'en';
}

/** Speaks it from now on: what stands in the page's own markup at once. */
function speak(name) {
  words = WORDS[name];
  document.documentElement.lang = name === 'zh' ? 'zh-CN' : 'en';
  for (const element of document.querySelectorAll('[data-text]')) element.textContent = say(element.dataset.text);
  for (const element of document.querySelectorAll('[data-hint]')) {
    element.placeholder = say(element.dataset.hint);
    element.setAttribute('aria-label', say(element.dataset.hint));
  }
  for (const element of document.querySelectorAll('[data-label]')) element.setAttribute('aria-label', say(element.dataset.label));
  const other = document.getElementById('language');
  other.textContent = name === 'zh' ? 'English' : '中文';
  other.lang = name === 'zh' ? 'en' : 'zh';
}
