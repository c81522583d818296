"""What a question is about beside cohort and drug: one person, or something no tool predicts yet."""

from __future__ import annotations

import re
from dataclasses import dataclass

# Third persons, and descriptions of a single patient.
_PERSON = re.compile(
    r"\b(?:recommend me|prescribe me|for me\b|for (?:him|her)\b"
    r"|my (?:dose|doctor|diabetes|kidneys?|weight|mother|mum|mom|father|dad|wife|husband|partner|patient|son|daughter|brother"
    r"|sister|child|baby|friend|aunt|uncle|grand\w+|blood|sugar|insulin|medication|meds|pills?|tablets?|hba1c|a1c|ldl|bp)"
    r"|a patient of mine|this patient|one patient)\b"
    r"|\bpt\b|\b\d{2}\s?[MF]\b|\b\d{1,3}\s?(?:yo|y/o|yr old|yrs old)\s(?:man|woman|male|female|m|f|lady|guy|patient|boy|girl)\b"
    r"|\b(?:should|can|could|may|must) (?:he|she)\b"
    # 'Mum' and 'Grandma' are somebody's; so is a value of hers.
    r"|\b(?:mum|mom|mam|mummy|dad|daddy|grandma|grandpa|grandad|granddad|granny)(?:'s)?\b"
    r"|\b(?:his|her) (?:\w+ )?(?:potassium|sodium|creatinine|hba1c|a1c|egfr|ldl|cholesterol|bp|blood (?:pressure|sugar)|sugars?|weight"
    r"|bmi|pulse|ferritin|haemoglobin|hemoglobin) (?:is|was|has|of|went|came)\b"
    r"|\b\d{1,3}[- ]years?[- ]old (?:man|woman|male|female|patient|lady|gentleman|boy|girl)\b|\bmrn\b",
    re.IGNORECASE,
)
_FIRST_PERSON = re.compile(r"\b(?:i|ive|my|me|myself|mine)\b|\bim (?:on|taking|a|an|\d)", re.IGNORECASE)
# Someone who asks about groups also says "I".
_ASKING = re.compile(
    r"^\W*(?:(?:please|can you|could you|would you|now|so|ok|hi|hello|hey)\W+)*(?!help\b|save\b|put\b|make\b|let\b)\w+ (?:me|us)"
    r"(?= (?:a|an|the|all|some|your|about|what|how|which|who|why|more|papers|studies|trials|evidence)\b)|"
    r"\b(?:(?:tell|show|give|find|get|send|help|teach|brief|remind|walk"
    r"|call|phone|ring|e-?mail|text|contact|reach"
    r"|write|draw|make|run|list|compute|calculate|predict|sketch) me(?! (?:to )?(?:lose|quit|stop))|let me (?:know|see)|remind me"
    r"|i (?:want|need|would like|'d like|wish) to (?:know|see|understand|compare|ask|predict|learn|read|plan|describe|find)"
    r"|i(?:'d| would) (?:like|love) (?:to (?:know|see|understand|compare|ask|learn)|a|an|the|some)"
    r"|i (?:plan|design|run|study|manage|model) (?:a|an|the|some|our)\b"
    r"|should i (?:enrich|enrol|recruit|include|exclude|power|randomi[sz]e)\w*"
    r"|i need (?:a|an|the|some) (?:profile|description|summary|overview|table|prediction|forecast|comparison|estimate)"
    r"|what sample size do i need|how many (?:people|patients|participants) do i need"
    r"|i(?:'m| am) (?:planning|designing|writing|preparing|working|looking|interested|curious|asking|wondering|comparing|trying to"
    r"|a (?:doctor|nurse|clinician|researcher|student|gp|physician|pharmacist|statistician|health economist))"
    r"|(?:type|class|phase|grade|stage|factor|angiotensin) i\b|i\.(?:e|v)\."
    r"|i (?:give|put|treat|prescribe|switch|add|start) (?:people|patients|adults|them|these|those|all)"
    r"|i (?:give|put|prescribe|add) \w+ to (?:people|patients|adults|them)"
    r"|i (?:wonder|mean|meant|am wondering|was wondering|run|manage|plan|design|ask|asked|suppose|guess|think|read|hear|heard|see|saw)\b"
    r"|can i (?:see|get|ask|have) (?:a|an|the|some|you)|could i (?:see|get|ask|have) (?:a|an|the|some|you)"
    r"|what (?:should|must|do|would) i (?:need to |have to )?know|should i know|i (?:should|must|need to|have to) know"
    r"|(?:should|can|could|do|would) i expect|i (?:should|can|could|would|might|may|must) (?:expect|see|assume|plan)"
    r"|what (?:should|can|could|would|do) i (?:expect|ask|see)"
    r"|my (?:[\w-]+ ){0,3}(?:patients|cohort|population|panel)"
    r"|my (?:trial|study|question|clinic|practice|model|paper|thesis|region|country|guess|hospital))\b",
    re.IGNORECASE,
)
_DATE = (
    r"(?:\d{1,4}[/.-]\d{1,2}[/.-]\d{1,4}|\d{1,2}(?:st|nd|rd|th)?\s+[A-Z][a-z]{2,8}\.?,?\s+\d{4}"
    r"|[A-Z][a-z]{2,8}\.?\s+\d{1,2}(?:st|nd|rd|th)?,?\s+\d{4})"
)
_NAME = r"[A-Z][a-z'’-]+(?:\s+[A-Z]\.?)?\s+[A-Z](?:['’][A-Z])?[a-z'’-]+"
_IDENTIFIERS = (
    re.compile(
        r"\b(?:mrn|ssn|nhi|(?:patient|hospital|medical record|chart|record|insurance|member|policy)\s+(?:id|number|no\.?|#))"
        r"(?![a-z])(?:\s+(?:is|was|number|no\.?))?[:#\s]*[\w-]*\d[\w-]*",
        re.IGNORECASE,
    ),
    re.compile(r"\b(?:nhs(?:\s+(?:number|no\.?))?)[:#\s]*\d{3}[\s-]?\d{3}[\s-]?\d{4}\b", re.IGNORECASE),
    re.compile(r"\b\d{3}-\d{2}-\d{4}\b"),
    re.compile(r"[\w.+-]+@[\w-]+\.[\w.]+\w"),
    re.compile(
        r"\b(?:phone|tel(?:ephone)?|mobile|cell|fax|call(?:ed)?(?: (?:him|her|me|them))?(?: (?:on|at))?|reach\w*(?: \w+)? (?:on|at))"
        r"(?: number)?(?: is)?[:\s]*\+?[(]?\d[\d\s().-]{6,}\d",
        re.IGNORECASE,
    ),
    re.compile(
        r"(?<![\w.])(?:\+\d{1,3}[\s.-]?\d[\d\s.-]{7,}\d|\(\d{3,4}\)\s?\d{3}[\s.-]?\d{3,4}|\d{3}[-.]\d{3}[-.]\d{4})\b"
    ),
    re.compile(r"(?<![\w.])0\d{3,4}[\s-]\d{3}[\s-]?\d{3,4}\b"),
    re.compile(rf"\b(?:dob|d\.o\.b\.?|[Dd]ate of birth|[Bb]orn(?: on)?|DOB)(?: is)?[:\s]*{_DATE}"),
    re.compile(
        r"\b\d{1,5}[A-Za-z]?\s+(?:[A-Z][a-z'’-]+\s+){1,3}"
        r"(?:Street|St|Road|Rd|Avenue|Ave|Lane|Ln|Drive|Close|Court|Ct|Boulevard|Blvd|Way|Terrace|Place|Crescent|Square)\b\.?"
    ),
    re.compile(r"\b[A-Z]{1,2}\d[A-Z\d]?\s\d[A-Z]{2}\b"),
    re.compile(r"\b(?:[Mm]rs?|[Mm]s|[Mm]iss|[Dd]r|[Pp]rof)\.?\s+[A-Z][a-z'’-]+(?:\s+[A-Z][a-z'’-]+)?"),
    re.compile(rf"(?<=\()\s*{_NAME}(?=\s*[,)])"),
    re.compile(
        rf"(?:(?<=\bpatient )|(?<=\bPatient )|(?<=\bpatient, )|(?<=\bPatient: )|(?<=\bpatient: )|(?<=\bpt )|(?<=\bnamed )"
        rf"|(?<=\bcalled )|(?<=\bname is )|(?<=\bname: )|(?<=\bName: )){_NAME}"
    ),
)


@dataclass(frozen=True)
class Topic:
    """Something that is asked about and that trials do not predict.

    `outcome` is True where the words may also name an outcome that is predicted ("die", "hospitalised"); `simulation` is
    the tool that computes it from numbers, if there is one.
    """

    name: str
    pattern: re.Pattern[str]
    search: str
    outcome: bool = False
    simulation: str = ""


def _topic(name: str, pattern: str, search: str = "", *, outcome: bool = False, simulation: str = "") -> Topic:
    return Topic(name, re.compile(rf"\b(?:{pattern})\b", re.IGNORECASE), search or name, outcome, simulation)


TOPICS = (
    _topic(
        "cost, price or cost-effectiveness",
        r"costs?|price[sd]?|pricing|afford\w*|expensive|qalys?|icers?|budget\w*|co-?pay\w*|reimburs\w+|cost-effective\w*"
        r"|value for money|insurers?"
        r"|(?<![,;:] )(?<!by )(?<!and )payers?(?! (?:mix|status|type|share))|out of pocket"
        r"|pay(?:s|ing)? for|set (?:\w+ ){1,3}back|worth the money"
        r"|dollars?|euros?|spend(?:ing)?",
        simulation="evaluate_cost_effectiveness",
    ),
    _topic(
        "the effect of a tax or a policy",
        r"tax(?:es|ed)?|governments?|(?<!treatment )(?<!treatment-)polic(?:y|ies)|subsid\w+|mandates?|bans?|banned|banning"
        r"|prohibit\w*|legislation|outlaw\w*|plain packaging",
        "policy",
    ),
    _topic(
        "adherence and persistence",
        r"adher\w+|persisten(?:ce|tly)|stay(?:ing|s)? on (?!cigar)|stick(?:ing)? (?:with|to)|complian\w+|keep taking|drop[- ]?outs?"
        r"|fill(?:ing)? (?:their )?prescriptions?|refills?|miss(?:ed|ing)? doses"
        r"|(?:are|be) still on|still (?:use|uses|using|take|takes|taking)|forget(?:ting)? (?:to take|their)",
        outcome=True,
        simulation="simulate_adherence",
    ),
    _topic(
        "uptake and willingness to take it",
        r"willing\w*|uptake|would (?:accept|start|refuse|buy|prefer|choose|agree)|demand for|market share|hesitan\w+"
        r"|accept (?:a|an|the)|attend(?:ance)?",
        simulation="forecast_uptake",
    ),
    _topic(
        "clinical events and survival",
        r"strokes?|heart attacks?|myocardial infarctions?|mace|deaths?|die|dying|mortality|survival|life expectancy"
        r"|hospitali[sz]\w+|kidney failure|fractures?|cardiovascular events?",
        "cardiovascular events mortality",
        outcome=True,
    ),
    _topic(
        "the spread of an infection",
        r"outbreaks?|epidemics?|pandemics?|herd immunity|reproduction number"
        r"|r0|r nought|transmission|contact tracing|quarantines?|lockdowns?"
        r"|measles|ebola|mpox|catch(?:es)? it|spread(?:s|ing)?|infection waves?|(?:icu|hospital|intensive care) beds|new (?:\w+ )?variants?"
        r"|(?:flu|covid|influenza|rsv) (?:wave|season|surge)s?"
        r"|vaccin\w+ (?:coverage|rates?)|coverage|school clos\w+|mask(?:s|ed|ing)?(?= mandates?| wearing|,|$)?",
        "transmission vaccination",
        simulation="simulate_epidemic",
    ),
    _topic(
        "the choice of a dose",
        r"(?:what|which|best|right|optimal|ideal|correct) (?:starting |maintenance |weekly |daily )?(?:dose|dosage|strength)s?"
        r"|how (?:should|to) (?:\w+ )?titrate",
        "dose",
    ),
    _topic(
        "the size of a trial",
        r"sample sizes?|power(?:ed)? (?:calculation|analysis|to)|how (?:big|large) (?:must|should|does|would|a)"
        r"|how many (?:people|patients|participants) (?:do i need|are needed|must be|should be)"
        r" (?:to )?(?:enrol\w*|recruit\w*|randomi[sz]\w*)?",
        "trial participants",
    ),
    _topic(
        "how many people there are",
        r"(?<!point )(?<!point-)prevalence|incidence of|eligible (?:people|patients|population)"
        r"|how many people in (?:the )?(?!cohort)\w+(?: \w+)? (?:have|could|are|would be)"
        r"|how (?:common|frequent) is",
        "prevalence eligible",
    ),
    _topic(
        "drug interactions",
        r"interact(?:s|ion|ions)? with|drug[- ]drug|safe (?:to take )?(?:together )?with|alcohol",
        "interaction",
    ),
)
STOPPING = Topic("what happens after stopping", re.compile(r"(?!)"), "weight regain after stopping withdrawal")
COMBINING = Topic(
    "a combination of drugs", re.compile(r"\b(?:plus|together|combin\w+|both)\b|\+", re.IGNORECASE), "combination"
)
OTHER_MEANS = re.compile(
    r"\b(?:exercis\w+|diets?|dieting|low-carb|keto\w*|vitamin\w*|fasting|yoga|lifestyle|surgery|supplements?|placebo)\b",
    re.IGNORECASE,
)
# Words for classes of drugs, and the class of the vocabulary; one without a class names none in particular.
CLASS_WORDS = {
    r"glp-?1\w*(?: ras?| agonists?)?|incretins?": ("GLP-1 RA", "GIP/GLP-1 RA"),
    r"sglt-?2\w*|gliflozins?": ("SGLT2 inhibitor",),
    r"dpp-?4\w*|gliptins?": ("DPP-4 inhibitor",),
    r"statins?": ("statin",),
    r"sulf?ph?onylureas?": ("sulfonylurea",),
    r"insulins?": ("basal insulin", "prandial insulin", "premixed insulin"),
    r"arbs?|sartans?": ("ARB",),
    r"ace[- ]inhibitors?": ("ACE inhibitor",),
    r"diuretics?": ("thiazide diuretic", "thiazide-like diuretic", "potassium-sparing diuretic"),
    r"beta[- ]?blockers?": ("beta blocker",),
    r"ssris?": ("SSRI",),
    r"jak inhibitors?": ("JAK inhibitor",),
    r"pcsk9\w*(?: inhibitors?| antibod\w+)?": ("PCSK9 antibody",),
    r"antidepressants?|antihypertensives?|biologics?|inhaled steroids?|nsaids?|painkillers?|antivirals?": (),
    r"(?:which|any|best) (?:drug|medicine|treatment|medication)s?": (),
}
CLASSES = re.compile(rf"\b(?:{'|'.join(CLASS_WORDS)})\b", re.IGNORECASE)
# Medicines that many people ask about and that may be in no trial here; one that is in the vocabulary is read as such.
COMMON_MEDICINES = re.compile(
    r"\b(?:warfarin|coumadin|aspirin|ibuprofen|naproxen|paracetamol|acetaminophen|tylenol|apixaban|eliquis|rivaroxaban|xarelto"
    r"|dabigatran|edoxaban|heparin|clopidogrel|digoxin|amiodarone|codeine|morphine|oxycodone|tramadol|fentanyl|gabapentin"
    r"|pregabalin|lithium|diazepam|lorazepam|alprazolam|zolpidem|quetiapine|olanzapine|risperidone|clozapine|haloperidol"
    r"|methylphenidate|ritalin|adderall|levothyroxine|prednisone|prednisolone|hydrocortisone|omeprazole|pantoprazole|ranitidine"
    r"|amoxicillin|doxycycline|ciprofloxacin|penicillin|cannabis|cannabidiol|cbd|ketamine|melatonin|creatine|berberine"
    r"|tamoxifen|letrozole|anastrozole|sildenafil|viagra|tadalafil|finasteride|tamsulosin|sumatriptan|topiramate|propranolol"
    r"|valproate|lamotrigine|levetiracetam|carbamazepine|minoxidil|colchicine|furosemide|botox|testosterone|(?:o)?estrogen)\b",
    re.IGNORECASE,
)


def is_about_a_person(text: str) -> bool:
    """True when one person, not a group, is asked about."""
    if _PERSON.search(text) is not None:
        return True
    return _FIRST_PERSON.search(without_asking(text)) is not None


def is_about_someone(text: str) -> bool:
    """True when a single patient or relative is described; an 'I' who plans something is none."""
    return _PERSON.search(text) is not None


def without_asking(text: str) -> str:
    """The text without the 'I' and 'me' of somebody who asks about groups."""
    return _ASKING.sub(" ", text)


def topic_of(text: str, outcomes: list[tuple[int, int]] | None = None) -> Topic | None:
    """The first topic named that no tool predicts, or None.

    `outcomes` are spans of `text` that were read as outcomes: a topic whose words all lie in them is none.
    """
    for topic in TOPICS:
        for match in topic.pattern.finditer(text):
            covered = any(start < match.end() and match.start() < end for start, end in outcomes or ())
            if not (topic.outcome and covered):
                return topic
    return None


def topic_named(name: str) -> Topic:
    """The topic with this name (KeyError when there is none: `intents.yaml` names one that does not exist)."""
    return {topic.name: topic for topic in TOPICS}[name]


def classes_of(text: str) -> tuple[str, ...]:
    """The vocabulary's classes that are named."""
    return tuple(
        name
        for words, names in CLASS_WORDS.items()
        if re.search(rf"\b(?:{words})\b", text, re.IGNORECASE)
        for name in names
    )


_INSTRUCTION = re.compile(
    r"[^.?!;\n]*\b(?:ignore|disregard|forget|override)\b[^.?!;\n]*\b(?:instructions?|prompts?|rules|guidelines?)\b[^.?!;\n]*[.?!;]?",
    re.IGNORECASE,
)
_ROLE_PLAY = re.compile(
    r"</?(?:question|system|user|assistant|instructions?|prompt)>"
    r"|\b(?:system|assistant)\s*:[^.?!;\n]*(?:[.](?=\d)[^.?!;\n]*)*[.?!;]?|\b(?:human|user|question)\s*:"
    r"|(?:^|(?<=[.?!;\n]))\s*(?:pretend|print|reveal|answer that|say that|reply with|you (?:must|are now))\b"
    r"[^.?!;\n]*(?:[.](?=\d)[^.?!;\n]*)*[.?!;]?",
    re.IGNORECASE,
)


def without_instructions(text: str) -> tuple[str, bool]:
    """The question without sentences that try to instruct the reader of it, and whether there were any."""
    rest = _ROLE_PLAY.sub(" ", _INSTRUCTION.sub(" ", text))
    return rest, rest != text


def mask_identifiers(text: str) -> str:
    """The text without names, record, telephone and insurance numbers, dates of birth and addresses: none is stored.

    By form alone: a name is found after a title, in brackets, or after words such as 'patient' and 'named'.
    """
    for pattern in _IDENTIFIERS:
        text = pattern.sub("[removed]", text)
    return text
