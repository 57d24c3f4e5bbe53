"""Our tokenizer and chat templates beside Hugging Face's tokenizers and transformers."""

import json
import random
import subprocess
import unicodedata

import pytest
from tokenizers import Tokenizer, normalizers
from transformers.utils.chat_template_utils import render_jinja_template

TEXTS = 10_000


@pytest.fixture(scope="module")
def real_vocabulary(checkpoint):
    """A small checkpoint with all 151,643 tokens of Qwen's vocabulary."""
    return checkpoint("qwen2", "--full-vocab")


@pytest.fixture(scope="module")
def ask(bin_dir, real_vocabulary):
    """ask(questions) -> answers of our own code, all from one process."""

    def run(questions):
        done = subprocess.run(
            [bin_dir / "text_probe", real_vocabulary],
            input="\n".join(json.dumps(q) for q in questions),
            text=True,
            capture_output=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        answers = [json.loads(line) for line in done.stdout.split("\n") if line]
        assert len(answers) == len(questions)
        return answers

    return run


SCRIPTS = {  # first and last code point
    "ascii": (0x20, 0x7E),
    "latin": (0xA0, 0x24F),
    "combining": (0x300, 0x36F),
    "greek": (0x370, 0x3FF),
    "cyrillic": (0x400, 0x52F),
    "hebrew": (0x591, 0x5F4),
    "arabic": (0x600, 0x6FF),
    "devanagari": (0x900, 0x97F),
    "tamil": (0xB82, 0xBFA),
    "thai": (0xE01, 0xE5B),
    "lao": (0xE81, 0xEB9),
    "tibetan": (0xF00, 0xFDA),
    "jamo": (0x1100, 0x11FF),
    "vietnamese": (0x1E00, 0x1EFF),
    "spaces": (0x2000, 0x206F),
    "kana": (0x3041, 0x30FF),
    "han": (0x4E00, 0x9FA5),
    "hangul": (0xAC00, 0xD7A3),
    "forms": (0xFB00, 0xFB4F),
    "emoji": (0x1F300, 0x1F64F),
    "compatibility": (0x2F800, 0x2FA1D),
    "rare han": (0x20000, 0x2A6D6),
}
SNIPPETS = [
    "it's",
    "I'LL",
    "'\u017f",
    "don\u2019t",
    "12345",
    "3.14",
    " \t",
    "\n",
    "\r\n",
    "   ",
    "\u3000",
    "\u180e",
    "\u0085",
    "\ufeff",
    "\0",
    "<|im_start|>user\n",
    "<|im_end|>",
    "<|AUDIO|>",
    "<|im_start",
    "|>",
    "e\u0301",
    "a\u0308\u0323",
    "\u212b",
    "\u1100\u1161\u11a8",
    "\uac00\u11a7",
    "\U0001f468\u200d\U0001f469",
    "def f(x):\n    return x",
    "https://a.b/c?d=1&e",
    "----",
    "\u4f60\u597d\uff0c\u4e16\u754c\u3002",
]


def known_to_both():
    """Characters that Hugging Face's tokenizers compose as Unicode says: all of Python's but 98. Their tables are those of Unicode 9,
    so they take marks that came later for letters."""
    nfc = normalizers.NFC()
    for code in range(0x110000):
        character = chr(code)
        if unicodedata.category(character) in ("Cn", "Co", "Cs"):
            continue
        tries = (f"a\u0315{character}", f"a{character}\u0334")
        if all(nfc.normalize_str(text) == unicodedata.normalize("NFC", text) for text in tries):
            yield character


def corpus(rng):
    any_character = list(known_to_both())
    assert len(any_character) > 140_000
    fine = set(any_character)

    def part():
        kind = rng.random()
        if kind < 0.35:
            return rng.choice(SNIPPETS)
        if kind < 0.85:
            first, last = rng.choice(list(SCRIPTS.values()))
            letters = (chr(rng.randint(first, last)) for _ in range(rng.randint(1, 8)))
            return "".join(letter for letter in letters if letter in fine or unicodedata.category(letter) == "Cn")
        return "".join(rng.choices(any_character, k=rng.randint(1, 5)))

    return ["".join(part() + rng.choice(["", "", " "]) for _ in range(rng.randint(0, 12))) for _ in range(TEXTS)]


def test_ten_thousand_texts_in_many_scripts_get_the_same_ids_and_come_back_as_the_same_texts(ask, real_vocabulary):
    rng = random.Random(20240229)
    tokenizer = Tokenizer.from_file(str(real_vocabulary / "tokenizer.json"))
    assert tokenizer.get_vocab_size() > 151_643
    texts = corpus(rng)
    theirs = [encoding.ids for encoding in tokenizer.encode_batch(texts, add_special_tokens=False)]
    ours = ask([{"encode": text} for text in texts])
    for text, expected, found in zip(texts, theirs, ours, strict=True):
        assert found == expected, ascii(text)
    # Also sequences of ids that no text gives: their bytes need not be whole characters.
    wild = [rng.choices(range(tokenizer.get_vocab_size()), k=rng.randint(1, 12)) for _ in range(TEXTS // 5)]
    for skip_special in (False, True):
        decoded = ask([{"decode": ids, "skip_special": skip_special} for ids in theirs + wild])
        assert decoded == tokenizer.decode_batch(theirs + wild, skip_special_tokens=skip_special)


# In our own words, with the constructs of Qwen2.5's and Qwen3's templates.
QWEN25_LIKE = """\
{%- if tools %}
    {{- '<|im_start|>system\\n' }}
    {%- if messages[0]['role'] == 'system' %}
        {{- messages[0]['content'] }}
    {%- else %}
        {{- 'Default.' }}
    {%- endif %}
    {%- for tool in tools %}
        {{- "\\n" }}
        {{- tool | tojson }}
    {%- endfor %}
    {{- "<|im_end|>\\n" }}
{%- else %}
    {%- if messages[0]['role'] == 'system' %}
        {{- '<|im_start|>system\\n' + messages[0]['content'] + '<|im_end|>\\n' }}
    {%- else %}
        {{- '<|im_start|>system\\nDefault.<|im_end|>\\n' }}
    {%- endif %}
{%- endif %}
{%- for message in messages %}
    {%- if (message.role == "user") or (message.role == "system" and not loop.first) or (message.role == "assistant" and not message.tool_calls) %}
        {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>' + '\\n' }}
    {%- elif message.role == "assistant" %}
        {{- '<|im_start|>' + message.role }}
        {%- for call in message.tool_calls %}
            {%- if call.function is defined %}
                {%- set call = call.function %}
            {%- endif %}
            {{- '\\n<call>{"name": "' ~ call.name ~ '", "arguments": ' }}
            {{- call.arguments | tojson }}
            {{- '}</call>' }}
        {%- endfor %}
        {{- '<|im_end|>\\n' }}
    {%- elif message.role == "tool" %}
        {%- if (loop.index0 == 0) or (messages[loop.index0 - 1].role != "tool") %}
            {{- '<|im_start|>user' }}
        {%- endif %}
        {{- '\\n<answer>' + message.content + '</answer>' }}
        {%- if loop.last or (messages[loop.index0 + 1].role != "tool") %}
            {{- '<|im_end|>\\n' }}
        {%- endif %}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
{%- endif %}
"""
QWEN3_LIKE = """\
{%- set state = namespace(searching=true, last=messages|length - 1) %}
{%- for message in messages[::-1] %}
    {%- set index = (messages|length - 1) - loop.index0 %}
    {%- if state.searching and message.role == "user" and message.content is string and not(message.content.startswith('<answer>') and message.content.endswith('</answer>')) %}
        {%- set state.searching = false %}
        {%- set state.last = index %}
    {%- endif %}
{%- endfor %}
{%- for message in messages %}
    {%- if message.content is string %}
        {%- set content = message.content %}
    {%- else %}
        {%- set content = '' %}
    {%- endif %}
    {%- if message.role != "assistant" %}
        {{- '<|im_start|>' + message.role + '\\n' + content + '<|im_end|>' + '\\n' }}
    {%- else %}
        {%- set thoughts = '' %}
        {%- if '</think>' in content %}
            {%- set thoughts = content.split('</think>')[0].rstrip('\\n').split('<think>')[-1].lstrip('\\n') %}
            {%- set content = content.split('</think>')[-1].lstrip('\\n') %}
        {%- endif %}
        {%- if loop.index0 > state.last and (loop.last or thoughts) %}
            {{- '<|im_start|>' + message.role + '\\n<think>\\n' + thoughts.strip('\\n') + '\\n</think>\\n\\n' + content.lstrip('\\n') }}
        {%- else %}
            {{- '<|im_start|>' + message.role + '\\n' + content }}
        {%- endif %}
        {{- '<|im_end|>\\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
    {%- if enable_thinking is defined and enable_thinking is false %}
        {{- '<think>\\n\\n</think>\\n\\n' }}
    {%- endif %}
{%- endif %}
"""
AUDIO_LIKE = """\
{% set audio = namespace(count=0) %}
{% macro part_text(part, plain=false) %}
{% if part is string %}{{ part }}{% elif part.type == 'audio' or 'audio_url' in part %}{% set audio.count = audio.count + 1 %}
<{{ loop_name ~ audio.count }}>{% else %}{{ part.text | trim }}{% endif %}
{% endmacro %}
{# a comment #}
{% for message in messages if message.role != 'skip' %}
  {%- if loop.first and message['role'] != 'system' -%}
    <|im_start|>system
You are.<|im_end|>
{% endif %}
<|im_start|>{{ message['role'] }}{{ '' if loop.last else ' ' }}
{% if message.content is string %}{{ message.content }}{% else %}{% for part in message.content %}
{{ part_text(part) }}{% endfor %}{% endif %}<|im_end|>
{% else %}
nothing
{% endfor %}
{{ messages[0].content[:3] if messages[0].content is string else messages|length }}
{%- for key, value in {'a': 1, 'b': 2}.items() %}{% if value == 2 %}{% break %}{% endif %}{{ key }}={{ value / 2 }};{% endfor %}
{{ [1, 2, 3] | join(', ') }} {{ 7 // 2 }} {{ -7 % 3 }} {{ "x" * 3 }} {{ not true or 1 in [1] }} {{ none }} {{ missing | default('d') }}
"""
CHATS = {
    "with a system prompt": [
        {"role": "system", "content": "Be  brief."},
        {"role": "user", "content": " Hi\n"},
        {"role": "assistant", "content": "<think>\nhm\n</think>\n\nHello \u00e9"},
        {"role": "user", "content": "Bye"},
    ],
    "without one": [{"role": "user", "content": '1 < 2 & "3"'}, {"role": "assistant", "content": "yes"}],
    "with calls": [
        {"role": "user", "content": "Weather?"},
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [{"function": {"name": "w", "arguments": {"city": "Z\u00fcrich", "n": [1, None, True]}}}],
        },
        {"role": "tool", "content": "20"},
        {"role": "tool", "content": "21"},
        {"role": "assistant", "content": "Warm."},
    ],
    "with audio": [
        {"role": "user", "content": [{"type": "audio", "audio": "a.wav"}, {"type": "text", "text": " What? "}]},
        {"role": "assistant", "content": [{"type": "text", "text": "A bell"}]},
    ],
}
TOOLS = [{"type": "function", "function": {"name": "w", "description": "<b>", "parameters": {"type": "object", "properties": {}}}}]


def test_chat_templates_write_what_transformers_writes(ask, real_vocabulary):
    own = json.loads((real_vocabulary / "tokenizer_config.json").read_text())["chat_template"]
    questions, expected, names = [], [], []
    for template_name, template in {"peer": own, "Qwen2.5": QWEN25_LIKE, "Qwen3": QWEN3_LIKE, "audio": AUDIO_LIKE}.items():
        for chat_name, chat in CHATS.items():
            if template_name == "Qwen2.5" and chat_name == "with audio":
                continue  # takes texts only
            for extra in ({}, {"add_generation_prompt": True}, {"add_generation_prompt": True, "enable_thinking": False}, {"tools": TOOLS}):
                variables = {"messages": chat, "tools": None, "documents": None, "add_generation_prompt": False, "loop_name": "n", **extra}
                arguments = {key: value for key, value in variables.items() if key not in ("messages", "documents")}
                expected.append(render_jinja_template([chat], chat_template=template, **arguments)[0][0])
                questions.append({"render": None if template is own else template, "variables": variables})
                names.append(f"{template_name}, {chat_name}, {extra}")
    for name, theirs, ours in zip(names, expected, ask(questions), strict=True):
        assert ours == theirs, name
