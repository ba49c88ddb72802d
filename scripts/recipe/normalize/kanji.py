"""What shows that a line is Japanese: kana, or characters that only Japanese has."""

import re

KANA = re.compile("[\u3041-\u3096\u30a1-\u30fa\u31f0-\u31ff]")
# Of the common kanji (JIS X 0208, level 1) those that are in neither GB 2312 nor Big5, without those that Chinese text has
# too, as variants (黒) and in Japanese names (堺, 桜).
_ONLY_JAPANESE = re.compile(
    "["
    "亜悪圧鮎囲壱稲隠営栄頴鋭駅円焔縁艶薗塩応鴬穏仮価菓壊絵鈎拡撹殻覚楽梶渇竃苅勧寛歓潅観諌関陥巌贋顔気亀戯犠拠挙郷尭暁倶駆粂薫啓掲渓経継繋蛍軽頚鶏撃倹剣圏検権県険顕験広鉱込査歳済砕斎剤"
    "冴咲雑桟産讃歯児鴫宍雫実舎釈収繍衆従渋獣縦粛処奨渉焼剰壌嬢浄畳穣譲醸図粋酔髄椙瀬斉摂説絶専戦繊賎銭曽遡捜挿掻巣総聡騒増臓蔵続楕駄騨対帯滝択凧竪単団弾値遅鋳庁徴聴栂逓転闘徳涜読瀞呑縄"
    "廼嚢悩脳廃拝楳売蝿鉢溌発醗髪抜噺鋲払仏塀変辺舗頬柾桝満杢戻籾匁薬訳鑓揺様謡覧裏両猟緑塁霊齢暦錬労篭蝋録枠椀"
    "]"
)


def shows_japanese(text: str) -> bool:
    """Whether a line must be Japanese; one without kana may be so all the same."""
    return bool(KANA.search(text) or _ONLY_JAPANESE.search(text))
