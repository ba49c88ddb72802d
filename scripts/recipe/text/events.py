"""Words that transcripts put in brackets for what is not said: sounds, silences, and remarks of the transcriber.

They are known in English and Chinese, with the commonest of Japanese and Korean, in any case, with `_`, `-` and digits
(`[NOISE_1]`). A remark consists of these words alone: `[background noise]` is one, `(the noise we heard)` is not.
"""

import re
from functools import lru_cache


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Sounds, silences and remarks. In brackets each of them is a mark, alone or with others and with companions.
_EVENTS = _words(
    """
    noise noises noisy laughter laugh laughs laughing laughed lau chuckle chuckles chuckling giggle giggles giggling
    snicker snickers breath breaths breathing breathe breathes breathy brth brh inhale inhales inhaling exhale exhales
    exhaling inhalation exhalation sigh sighs sighing gasp gasps gasping pant panting cough coughs coughing coughed
    sneeze sneezes sneezing sniff sniffs sniffing sniffle sniffles snort snorts snore snores snoring yawn yawns yawning
    cry cries crying sob sobs sobbing scream screams screaming shriek shrieks groan groans groaning moan moans grunt
    grunts hiccup hiccups burp burps gulp gulps swallow swallows lipsmack lipsmacks smack smacks smacking tsk tut
    throat whisper whispers whispering mumble mumbles mumbling murmur murmurs murmuring mutter mutters muttering
    stutter stutters babble hum hums humming whistle whistles whistling sing sings singing click clicks clicking beep
    beeps beeping bleep bleeps bleeped ringing rings ringtone dtmf music musical song jingle applause applauding clap
    claps clapping cheer cheers cheering booing silence silences silent sil pause pauses paused gap nonspeech
    static hiss hissing echo feedback distortion interference reverb overlap overlaps overlapping crosstalk chatter
    chattering inaudible unintelligible indistinct indecipherable indiscernible incomprehensible unclear unknown unk
    untranscribed untranscribable garbled muffled spn nsn spk fil nps sonant ens vocalsound nonvocalsound vocalization
    vocalizations vocalized vocalizing hesitation hesitations hesitates hes filler fillers disfmarker redacted censored
    expletive profanity anonymized blank foreign skip knock knocks knocking bang bangs banging thud slam slams slamming
    rustle rustles rustling footsteps bark barks barking siren sirens sfx soundeffect xxx
    """
)
# Sounds that people make while they look for words: never in round brackets, where they are words of some language.
_FILLERS = _words("uh um er erm ah hm hmm mm mhm eh uhm uhhuh")
# What says more about an event, and nothing by itself.
_COMPANIONS = _words(
    """
    a an the of in on off at to with and or no non not is are by his her its their both all some more background back
    environment environmental ambient ambience human person people speaker speakers audience crowd group everyone man
    men woman women child children baby male female voice voices vocal spoken speech speaking talk talking language
    languages word words audio video sound sounds tape record recording line phone telephone cell call door window
    chair table paper papers dog dogs cat bird birds car traffic engine wind rain water bell bells horn alarm tv radio
    television keyboard typing mic microphone room street machine electronic mechanical instrumental piano guitar drum
    theme lip lips mouth nose clear clears clearing deep deeply heavy heavily loud loudly soft softly quiet quietly
    light slight slightly short long brief nervous nervously begin begins beginning start starts started stop stops end
    ends ended continue continues continuous intermittent play plays playing played time seconds multiple other others
    cross over under tone tones effect effects
    """
)
_SPOKEN = _words("speech speaking voice voices talk talking audio sound sounds speaker")
_HAN_EVENTS = re.compile(
    r"(?:背景|现场|現場|观众|觀眾|众人|眾人|全场|全場|人群|环境|環境|轻微|輕微|持续|持續|嘈杂|嘈雜|电话|電話|手机|手機"
    r"|说话人|說話人|非|无|無|有|大|小|轻|輕|微|苦|冷|偷|拍)*"
    r"(?:笑|哭|哭泣|抽泣|咳|咳嗽|清嗓|清嗓子|呼吸|喘气|喘氣|喘息|叹气|嘆氣|叹息|嘆息|吸气|吸氣|呼气|呼氣|喷嚏|噴嚏|打喷嚏|打噴嚏|打嗝"
    r"|哈欠|打哈欠|鼓掌|掌声|掌聲|拍手|音乐|音樂|音楽|歌声|歌聲|唱歌|噪音|噪声|噪聲|杂音|雜音|雑音|杂声|雜聲|静音|靜音|沉默|沈默|沈黙|停顿"
    r"|停頓|铃|鈴|铃声|鈴聲|嘟|口水|咂嘴|听不清|聽不清|听不清楚|聽不清楚|听不懂|聽不懂|不清楚|不清晰|未知|不明|声音|聲音|语音|語音|无声|無聲"
    r"|無音|重叠|重疊|插话|插話|欢呼|歡呼|尖叫|惊呼|驚呼|嘘|噓|敲门|敲門|敲击|敲擊|脚步|腳步|风|風|雨|狗叫|鸟叫|鳥叫|键盘|鍵盤|外语|外語"
    r"|外国语|外國語|聞き取れず|聞き取り不能|웃음|박수|음악|소음|잡음|침묵|기침)"
    r"(?:声|聲|音|中|着|著|了|い|소리)*"
)
_HAN_COMMON = frozenset("风風雨声音聲音语音語音铃鈴嘟口水嘘噓")  # of these alone, a word is ordinary
_LAUGHED = re.compile(r"laugh(?:ter|ing)?\s*[-:_]\s*(\S.*)", re.IGNORECASE | re.DOTALL)  # Switchboard's [laughter-yeah]
_WORD = re.compile(r"[^\W\d_]+|\d+")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")


@lru_cache(maxsize=10_000)
def remark(inside: str, bracket: str) -> str | None:
    """What was said where `inside` stands in brackets that open with `bracket`: mostly nothing, "", because they are a
    remark; None if they are ordinary content."""
    events = _EVENTS if bracket in "(（" else _EVENTS | _FILLERS
    words = [word.casefold() for word in _WORD.findall(_CAMEL.sub(" ", inside)) if not word.isdigit()]
    if words and all(word in events or word in _COMPANIONS for word in words):
        silent = {"no", "non"} & set(words) and _SPOKEN & set(words)  # [no speech]
        return "" if silent or any(word in events for word in words) else None
    if bracket in "[<{" and (laughed := _LAUGHED.fullmatch(inside.strip())):
        return laughed[1]
    bare = "".join(words)
    return "" if not bare.isascii() and _HAN_EVENTS.fullmatch(bare) and not _HAN_COMMON.issuperset(bare) else None
