"""Everyday, clinical and geographic words that are never taken for a mistyped or unknown drug name."""

from __future__ import annotations

_GENERAL = """
about above across added adding adults adult advance after again against aged ages agree alli ally allow alone along
already also although always among amount another answer anyone appear april around asked aspire aspired aspiring
assume assuming august average avoid balance because become before begin being below benefit best better between both
brand bring called cannot cause change changes chance child children choice choose clinic cohort college common compare
compared comparison concern consider continue control could country course current daily data days december decide
decrease deliver depend design detail develop difference different difficult discuss dosage dosages dose doses double
drop during each early effect effective effects efficacy either elderly eligible else employer enough equal estimate
evening event every evidence example excess expect expected explain factor families family faster favour fewer figure
find first five focus follow following forecast found four frail friday from further general given gives giving going
good group groups half happen harm have having health healthy heavy help higher highest hospital hours household how
however human hundred imagine immediate impact improve improvement include including income increase indicate
individual individuals initial instead interval interest january july june just keep kind know large later least less
level levels liberty life likely limit limited list living long longer look lose losing loss lower lowest main maintain
maintenance major make many march matter maximum mean means measure median medical medication medications medicine
medicines member mental middle might mild minimum minor moderate monday month monthly months more morning most much
nearly need never newly next night normal north november number nurse october offer often older once only open option
oral orally order other outcome outcomes over overall partly patient patients people percent percentage perhaps period
person persons pharmacy physician place plan please point policy poor population possible predict prediction present
prevent primary prime probably problem produce profile program programme prospect protocol provide public quality
quarter question quick quickly quite random range rapid rate rates rather ratio reach react reaction really reason
receive receiving recent recommend record reduce reduction region regular related relax remain report request require
respond responder response responses result results return reverse right risk rural safety same sample saturday second
section senior seniors september serious setting severe severity several share should show side simple simulate since
single slow small some someone sometimes south specialist stable stage standard start started starting state status
stay stop study stopped stopping strong student subgroup subject substantial such sudden sufficient suggest summer
sunday support suppose sure surgery sustain switch switched switching tablet tablets take taken takers taking tandem
target tell test than that their them then there these they thing think third those though thousand three through
thursday time times tolerate total toward towards treat treated treating treatment trial trials tuesday twice type
under understand unit units unless until unusual update urban usual usually value versus very victor visit waiting
want wants wednesday week weekly weeks weight were what when where whether which while whole whom whose will winter
with within without woman women work worker workers working worse worst would write year yearly years young younger
your youth zest across placement relative constant injection injections injected infusion infusions inhaler inhaled
inhalation capsule capsules solution cream patch spray titration titrated escalation initiation adherence persistence
background monotherapy combination therapy therapies regimen schedule drug drugs generic biosimilar vaccine vaccines
vaccination placebo comparator control controls standard-of-care lifestyle exercise exercises training counselling
counseling education intervention interventions reminder reminders message messages incentive incentives coaching
warfare contrive contrast contrasts tranquil repath insulate insular insulated oxygen statin insulins
precise precisely creator creators creature meridian concord concorde xenial xenon prosaic lantern victory
spirited symbolic advisor januaries trinity tribute pristine cymbal brilliant tracer humanly celebrate celebrated
lyrical lyric zenith vascular benefits concern crystal
"""

_BODY = """
abdomen abdominal airway anaemia anemia appetite arterial artery asthma bladder blood bodily body bone bones bowel
brain breast breath breathing bronchial cancer cardiac cardiovascular cell cells chest cholesterol chronic cognition
cognitive colon copd coronary cough creatinine cystatin dementia dental depression depressed depressive diabetes
diabetic diastolic diarrhoea diarrhea disease diseases disorder disorders dyslipidaemia dyslipidemia exacerbation
exacerbations failure fasting fatigue fatty fever fibrosis fracture fractures function gastric gastrointestinal
glucose glycaemic glycemic haemoglobin hemoglobin headache hearing heart heartburn hepatic hormone hypertension
hypertensive hypoglycaemia hypoglycemia immune infection infections infarction inflammation insomnia intestine joint
joints kidney kidneys knee lipid lipids liver lung lungs lymphoma menopause menopausal metabolic migraine mortality
muscle muscles myocardial myostatin nausea nerve nervous neuropathy nucleotide obese obesity oesophagus oestrogen
osteoporosis ovarian overweight pain pancreas pancreatitis peptide peptides polypeptide pregnancy pregnant pressure
progression prostate protein psychosis pulmonary relapse remission renal respiratory retinopathy rheumatoid riptide
seizure sepsis sickness skin sleep smoker smokers smoking somatostatin spine stomach stroke suicidal suicide survival
symptom symptoms syndrome systolic thyroid tissue tumor tumour ulcer urinary vascular ventricular vision vomiting
triglyceride triglycerides electrolyte
"""

_PROPER = """
africa african alaska alzheimer alzheimers america american americans arab argentina asia asian asians australia
australian austria bangladesh belgium black blacks brazil brazilian britain british california canada canadian
caribbean caucasian chile china chinese christian colombia crohn cushing danish denmark dutch egypt england english
ethiopia europe european europeans filipino finland florida france french german germany ghana greece greek hispanic
hispanics hodgkin hungary india indian indians indigenous indonesia iran iraq ireland irish islam israel italian italy
japan japanese jewish kenya korea korean latin latina latino latinos london lynch malaysia medicaid medicare mexican
mexico muslim muslims national nepal netherlands nigeria nordic norway pacific pakistan parkinson parkinsons peru
philippines poland polish portugal ramadan raynaud romania russia russian scandinavia scotland scottish singapore
spain spanish sweden swedish swiss switzerland taiwan texas thailand turkey turkish ukraine veteran veterans vietnam
vietnamese wales western eastern northern southern white whites york zealand
"""

COMMON_WORDS: frozenset[str] = frozenset((_GENERAL + _BODY + _PROPER).split())
