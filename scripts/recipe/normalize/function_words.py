"""Words and letters by which a line in Latin letters shows that it is English, or what else it is.

Function words only, the most frequent of each language, and of English also what its rules rewrite (number words,
months). A word that English has too, as a word of its own or an abbreviation, is in no other language's list.
"""

import re
from functools import lru_cache

_ENGLISH = """
    the of and that this these those it its he she his him you your yours we our ours they their them theirs mine
    are were been being isn wasn does did done don doesn didn aren weren haven hasn hadn can cannot could would should shall
    may might must not but because or nor if than then there here where when what which who whose whom how why
    from with without about into onto through between before after again against during since until while very too
    just only both each every any some such other another much many few most now up out off down back away always never
    yes please thank thanks hello let get got go goes going went come comes came take took taken make makes made
    say says said see saw look looked know known think thought want wanted like liked need needs give gave tell told
    time times year years day days week month people man woman men women child children house home work world life good
    better best bad new old big small long great little right left high next last same own everyone everything
    something nothing someone gonna wanna gotta okay
    minutes hours seconds o'clock percent dollars cents pounds feet miles inches degrees half quarter past oh
    january february march april june july august september october november december monday tuesday wednesday thursday
    friday saturday sunday three four five seven eight nine eleven twelve thirteen fourteen fifteen sixteen seventeen
    eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred thousand million billion first second
    third fourth fifth sixth seventh eighth ninth tenth morning afternoon evening night today tomorrow yesterday
"""
_OTHERS = {
    "sv": "och att är det som på av för med inte jag har från till ett när hade kan vid också efter så om du han hon eller "
    "ska där här mycket nu vi sig alla mot skulle blev sin sina deras dem dig mig kronor igår idag klockan mitt gånger",
    "da": "og jeg er det til på af med ikke der har som fra ved også efter når hvor hvis meget nogle mange jer dig mig blev "
    "være eller vores hvad havde kunne skulle bliver idag kroner klokken hun ham nu fik igen siden",
    "no": "og jeg er det til på av med ikke som har fra ved også etter når hvor hvis mye noen mange seg deg meg ble være "
    "eller vår hva hadde kunne skulle blir kroner klokken hun ham nå fikk igjen siden ein ikkje eg frå dei vart noko",
    "fi": "ja on ei että se oli hän myös mutta niin kun kuin ovat tämä sekä joka jos minä sinä olen olla ole voi sen jo vain "
    "mitä miten nyt kanssa noin kaikki hyvin vuonna vuotta mukaan sitten ollut heidän meidän euroa kello tänään eivät",
    "et": "ja ei et on kui see aga oma ka siis või ning oli nii seda ta mis ma kas veel saab võib kuid kõik kes üle mida "
    "väga meie ära ole sest läbi olema nende nagu eurot kell täna tema olid praegu",
    "lv": "un ir ar par ka arī no vai kas bet uz kā tas lai tā ko pēc jau tikai bija es līdz vēl gan tiek gada mūsu ļoti "
    "vairāk mēs šo tās būtu eiro šodien viņš nav",
    "lt": "ir yra iš į tai su kad tik kaip bet buvo taip apie bei kai jų po jis daug iki jau gali mūsų būti labai dar turi "
    "prie metu arba jūsų metų jie dėl jei tačiau jos nėra eurų šiandien man mes",
    "pl": "i w na się nie że jest to z od za już tym tylko dla jak są przez które będzie co też oraz czy być tej ich tego jego "
    "który przy także może był jeszcze przed jeśli niż było bardzo ma mam roku lat złotych dzisiaj godzinie jestem były",
    "cs": "a v na se je z že pro k ve jsou od nebo jako za ale při které tak jsem jak bude která který aby roku jeho "
    "byla byl bylo jsme podle tedy není už pokud byly než asi zde jejich kde před až tento další této korun dnes",
    "sk": "a na sa v je aj z ako že pre som pri za od nie čo ktorý už alebo vo sme jeho aby ktoré ich keď byť až bola ani ho "
    "jej veľmi bol roku bude však či pred podľa ešte sú eur dnes korún",
    "sl": "je in v na se za da ki so tudi ne bo še po bi ni kot pri ali že od iz če tem si smo kar ob bil vse več samo bila "
    "ima zelo nas lahko bodo zato nekaj evrov danes leta",
    "hr": "i je u se na za su od da koji te kao godine iz što koje nije tako više može samo pod gdje još jer ima također bila "
    "kod već ga nakon ili bio kako biti sam smo kuna danas ovo što",
    "hu": "az és hogy is nem egy volt csak ez mint még vagy már ki ha azt van után így sem majd én mert minden kell amely ami "
    "akkor itt nagyon két lehet fel szerint forint óra ma az",
    "ro": "și şi că în cu de la este din pentru pe mai nu un sau să ce sunt fost fi prin poate acest dar cele trebuie foarte iar "
    "unei lei o ani peste care cum astăzi după",
    "it": "di il la che un del è l le della con non si una sono alla dei anche ma nel più dell delle stato gli dal ai nella "
    "ed ci questo tra essere solo degli dopo come questa perché ho hai ha mi ti lo euro quando molto oggi uno al chilometri",
    "es": "de la el y que en los las se es por para con una un del su lo como más pero sus muy ya este está todo entre puede "
    "sobre sin hay donde cuando hasta me mi te le yo qué ser son fue también años euros pesos hoy desde tiene nos",
    "pt": "de o que e do da em os um uma para com não no na se por mais dos ao como das sua tem já foi ou nos seu muito pelo "
    "pela são anos ainda pode esta isso todos há nas outros eu você ele ela reais às está também hoje meu minha",
    "ca": "de la el i que en els les un una es amb per del no és al dels ha més aquest aquesta però tot són fins seva també "
    "molt perquè què li quan avui anys",
    "fr": "de la et le les des un une dans du est que il pour par sur au qui ce pas plus ne se avec ou cette mais être nous je "
    "elle ils ces même leur ont vous ses comme tout été très aux à qu sont fait euros ans aussi où ça quand",
    "de": "der die und das ist nicht ich ein eine von zu mit den sich auf für im dem des auch es an als wir sie wird aus sind "
    "oder bei nach einer einen nur noch einem wie aber kann zum vor um durch uns diese über dann haben mehr wenn wurde uhr "
    "ihr mir mich dir dich hatte waren habe er immer euro heute jahre",
    "nl": "de het een en van is dat niet ik op te zijn met voor hij die er als ook maar aan bij deze uit om tot naar wordt "
    "werd geen jij wij je ze nog wel kan haar heeft hebben waren deze veel twee jaar moet wat zo hun euro vandaag uur",
    "ga": "agus is an na ar é ag sé tá bhí seo atá nó leis sin den raibh ní faoi air sí féin ó mar go bhfuil aon chuid iad",
    "mt": "il ta li u fil biex minn dan kien għal mhux huwa hija jew minħabba kif bħal fuq wara kienet tal għandu dawn illum",
    "id": "yang dan di itu dengan ini untuk dari tidak akan pada saya kami mereka ada juga atau adalah oleh karena bahwa sudah "
    "lebih sebagai tetapi kepada anda masih bisa telah dapat dia aku kamu jika hari pukul rupiah tahun",
    "ms": "yang dan di itu dengan ini untuk dari tidak akan pada saya kami mereka ada juga atau adalah oleh kerana bahawa sudah "
    "lebih sebagai tetapi kepada anda masih boleh telah dapat dia aku kamu jika hari pukul ringgit tahun",
    "tl": "ang ng sa na mga at ay si ito hindi siya ko mo po kung para niya isang isa rin din pang nang ni may lang namin natin "
    "kami tayo ako ikaw kayo sila dahil ngayon piso",
    "vi": "và là của có không được cho trong với những một người các đã tôi này khi để đến từ năm bạn như nhiều ra rằng cũng "
    "đó nó ở thì ngày giờ đồng hôm nay",
    "tr": "ve bir bu için ile da de çok daha ne gibi kadar ben sen o var yok değil olarak olan sonra ama mi her nasıl şu en "
    "bugün lira saat yüzde",
}

# English too, but of other languages as well: half as much.
_HALF_ENGLISH = frozenset(
    "a an and as at in is it on no so to do we me my be by us or am was all also had have her has for will over under one "
    "two six ten point more".split()
)
# In names (Rio de Janeiro) and in English as other words: half as much.
_HALF_OTHERS = frozenset(
    """
    de la le el les los las di da del du des das dos al van von der og en un y et une die den hat war bin son sin con pro
    per pot men ha nu ma mi si ni po za se od te ti ki na ne mo ko bi bit mar ask pan pod pop pal pas par plus est list
    must kind still sea far sa su ta ter tag tam dan ben sen lei pang para kan il ar air sam dem mot sig com
    euro euros non care ve au re ce es os ora hun ham era hoy je ano dos leta
    """.split()
)
# Letters that hardly a word in English has, unless a name.
_RARE_LETTERS = re.compile("[ßæøåąćčďđęěğıķľĺļłńňņőœřśşšșťţțůűųūźżžħġċėįāēīģơưăµ\u1ea0-\u1ef9ìòùõã]")

_ORDINAL = re.compile(r"\d(?:st|nd|rd|th)\b")
_WORDS = re.compile(r"[^\W\d_]{2,}|[^\x00-\x7f\W\d_]")


def _weights() -> tuple[dict[str, float], dict[str, tuple[float, tuple[str, ...]]]]:
    """What a word tells: for English; and for the others, with their codes."""
    english = dict.fromkeys(_ENGLISH.split(), 1.0) | dict.fromkeys(_HALF_ENGLISH, 0.5)
    codes: dict[str, list[str]] = {}
    for code, words in _OTHERS.items():
        for word in set(words.split()):
            codes.setdefault(word, []).append(code)
    others = {
        word: (0.5 if word in _HALF_OTHERS else 1.0, tuple(found))
        for word, found in codes.items()
        if word not in english
    }
    return english, others


_OF_ENGLISH, _OF_OTHERS = _weights()


def not_english(text: str) -> frozenset[str] | None:
    """Of a cleaned line in Latin letters: None if it is English, or nothing tells; else the codes of the languages that
    it may be in, without any where its letters alone tell.

    Words weigh 1, those that tell little, and words with a letter that English has in names alone, less; single letters of ASCII
    tell nothing.
    """
    english = other = 0.0
    found: dict[str, float] = {}
    for word in _WORDS.findall(text):
        if word in _OF_ENGLISH:
            english += _OF_ENGLISH[word]
        elif word in _OF_OTHERS:
            weight, codes = _OF_OTHERS[word]
            other += weight
            for code in codes:
                found[code] = found.get(code, 0) + weight
        elif not word.isascii():
            other += _of_letters(word)
    if other < 1 or other <= english + len(_ORDINAL.findall(text)):
        return None
    best = max(found.values(), default=0)
    return frozenset(code for code, weight in found.items() if weight == best)


@lru_cache(maxsize=10_000)
def _of_letters(word: str) -> float:
    return 0.75 if _RARE_LETTERS.search(word) else 0.5
