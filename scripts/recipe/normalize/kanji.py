"""What shows that a line is Japanese: kana, or characters that only Japanese has."""

import re

_KANA = "\u3041-\u3096\u30a1-\u30fa\u31f0-\u31ff"
KANA = re.compile(f"[{_KANA}]")
# Of the common kanji (JIS X 0208, level 1) those that are in neither GB 2312 nor Big5 nor known to OpenCC, less those
# that Chinese text has too, as variants (黒) and in Japanese names (堺, 桜).
_ONLY_JAPANESE = (
    "亜悪圧囲壱稲隠営栄駅円焔縁艶塩応鴬穏仮価菓壊絵拡撹覚楽渇竃苅勧寛歓潅観諌関陥巌気亀戯犠拠挙郷尭暁倶駆粂薫掲"
    "渓経継繋蛍軽頚鶏撃倹剣圏検権県険顕験広鉱込歳済砕斎剤冴咲雑桟讃歯児鴫宍雫実舎釈収繍従渋獣縦粛処奨渉焼剰壌嬢浄畳"
    "穣譲醸図粋酔髄瀬斉摂専戦繊賎銭曽捜挿掻巣総聡騒増臓蔵続楕駄騨対帯滝択凧単団弾値遅鋳庁徴聴栂逓転闘徳涜読瀞呑縄"
    "廼嚢悩脳廃拝楳売蝿溌発醗髪抜噺鋲払仏塀変辺舗頬柾満杢戻籾匁薬訳揺様覧両猟塁霊齢暦錬労篭蝋枠椀"
)
# Of what is counted: rooms, blocks of a town, and what has a place in an order.
_JAPANESE_WORD = re.compile("番目|号室|丁目")
_JAPANESE = re.compile(f"[{_KANA}{_ONLY_JAPANESE}]")


def shows_japanese(text: str) -> bool:
    """Whether a line must be Japanese; one without kana may be so all the same."""
    return bool(_JAPANESE.search(text) or _JAPANESE_WORD.search(text))
