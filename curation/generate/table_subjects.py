"""What generated tables are about: row labels, measures and column groups as papers of medicine and science have them."""

# ruff: noqa: E501 - one record a subject reads best unwrapped

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from curation.generate.words import COUNTRIES


@dataclass(frozen=True)
class Measure:
    """Something with a unit: its heading, and the range and decimals of its values."""

    name: str
    low: float
    high: float
    decimals: int


@dataclass(frozen=True)
class Subject:
    """One kind of table.

    `heads` name the first column; `groups` are row labels under their section's name; `arms` head groups of
    columns; `patterns` are the kinds of the columns under one such head (see `table_values.COLUMN_KINDS`);
    `maker` names how row labels are made up (see `table_values.make_labels`) where there are no groups. A row label
    with a unit of its own has the range of its values in `ranges`.
    """

    heads: tuple[str, ...]
    groups: tuple[tuple[str, tuple[str, ...]], ...]
    measures: tuple[Measure, ...]
    arms: tuple[tuple[str, ...], ...]
    patterns: tuple[tuple[str, ...], ...]
    words: tuple[str, ...] = ("Yes", "No")
    maker: str = ""
    is_italic: bool = False
    ranges: Mapping[str, Measure] = field(default_factory=dict)


def _split(text: str, mark: str = ",") -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(mark))


def _groups(text: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """`Name: label, label | Name: …` as groups."""
    pairs = [group.split(":", 1) for group in text.split("|")]
    return tuple((name.strip(), _split(labels, ",")) for name, labels in pairs)


def _measures(text: str) -> tuple[Measure, ...]:
    """`name|low|high|decimals; …` as measures."""
    parts = [entry.strip().split("|") for entry in text.split(";")]
    return tuple(Measure(name, float(low), float(high), int(decimals)) for name, low, high, decimals in parts)


_CLINICAL_ARMS: Final = (
    ("Cases", "Controls"), ("Treatment group", "Control group"), ("Male", "Female"), ("Group A", "Group B", "Group C"),
    ("Placebo", "Low dose", "High dose"), ("Survivors", "Non-survivors"), ("Training set", "Validation set"), ("Men", "Women", "All"),
    ("Baseline", "6 months", "12 months"), ("Responders", "Non-responders"), ("Pre-operative", "Post-operative"),
)  # fmt: skip
_MODEL_ARMS: Final = (("Univariate analysis", "Multivariate analysis"), ("Crude", "Adjusted"), ("Model 1", "Model 2", "Model 3"),
                      ("Overall survival", "Disease-free survival"), ("Model 1", "Model 2"), ("Men", "Women"))  # fmt: skip

_LABORATORY: Final = {
    name: {measure.name: measure for measure in _measures(text)}
    for name, text in {
        "Hematology": "Hemoglobin (g/dL)|9|17|1; WBC (×10<sup>9</sup>/L)|3|14|1; Platelets (×10<sup>9</sup>/L)|120|390|0; Hematocrit (%)|29|49|1; Neutrophils (%)|38|82|1; Lymphocytes (%)|12|48|1",
        "Liver function": "ALT (U/L)|12|96|0; AST (U/L)|14|88|0; Albumin (g/L)|28|49|1; Total bilirubin (μmol/L)|4|32|1; ALP (U/L)|40|180|0; GGT (U/L)|10|120|0",
        "Lipids": "Total cholesterol (mmol/L)|3|8|2; LDL-C (mmol/L)|1|5|2; HDL-C (mmol/L)|0.7|2.2|2; Triglycerides (mmol/L)|0.6|4.2|2",
        "Renal function": "Creatinine (μmol/L)|52|168|0; Urea (mmol/L)|2|12|1; eGFR (mL/min)|31|108|0; Uric acid (mg/dL)|3|9|1",
        "Inflammation": "CRP (mg/L)|0.2|88|1; IL-6 (pg/mL)|1|64|1; TNF-α (pg/mL)|2|28|1; ESR (mm/h)|4|72|0; Ferritin (ng/mL)|20|480|0",
        "Glucose metabolism": "Fasting glucose (mmol/L)|4|11|1; HbA<sub>1c</sub> (%)|4.8|9.9|1; Insulin (mU/L)|3|31|1; HOMA-IR|0.8|6.4|2",
        "Blood gases": "pH|7.21|7.49|2; PaO<sub>2</sub> (mmHg)|58|101|0; PaCO<sub>2</sub> (mmHg)|31|58|0; Lactate (mmol/L)|0.6|5.2|1",
    }.items()
}  # fmt: skip

SUBJECTS: Final = (
    Subject(
        ("Variable", "Characteristic", "Characteristics", "Parameter", ""),
        _groups("Gender: Male, Female | Age (years): &lt;40, 40–59, 60–74, ≥75 | Smoking status: Never, Former, Current | Education: Primary school, High school, College or higher |"
                "Marital status: Single, Married, Divorced, Widowed | Residence: Urban, Rural | Body mass index: Normal, Overweight, Obese | Hypertension: Yes, No | Diabetes mellitus: Present, Absent |"
                "Tumor size: ≤4 cm, &gt;4 cm | Tumor stage: T1, T2, T3, T4 | Lymph node status: N0, N1, N2 | Histologic type: Adenocarcinoma, Squamous cell carcinoma, Other | Employment: Employed, Unemployed, Retired"),
        _measures("Age (years)|24|79|1; BMI (kg/m<sup>2</sup>)|18|36|1; Follow-up (months)|2|96|0; Score|1|28|1; SBP (mmHg)|98|168|0"),
        _CLINICAL_ARMS + _MODEL_ARMS, (("count", "percent"), ("n_pct",), ("ratio", "ci"), ("ratio_ci", "p"), ("ratio", "ci", "p"), ("mean_sd",)),
    ),
    Subject(
        ("Parameter", "Laboratory test", "Variables", "Biomarker", "Measurement", ""),
        tuple((name, tuple(_LABORATORY[name])) for name in _LABORATORY),
        _measures("Baseline|2|180|1; Day 7|2|180|1; Day 28|2|180|1; Reference value|1|90|1; Last visit|2|140|1"),
        _CLINICAL_ARMS, (("mean_sd",), ("mean", "sd"), ("median_iqr",), ("mean_sd", "p"), ("median", "range")),
        ranges={label: measure for group in _LABORATORY.values() for label, measure in group.items()},
    ),
    Subject(
        ("Symptom", "Adverse event", "Clinical presentation", "Presenting complaints", "Complication"),
        _groups("General: Fever, Fatigue, Weight loss, Night sweats, Chills, Malaise, Anorexia | Respiratory: Cough, Dyspnea, Sore throat, Chest pain, Hemoptysis, Rhinorrhea | Gastrointestinal: Nausea, Vomiting, Diarrhea, Abdominal pain, Constipation, Jaundice |"
                "Neurological: Headache, Dizziness, Seizure, Numbness, Blurred vision | Skin: Rash, Pruritus, Urticaria, Edema | Musculoskeletal: Myalgia, Arthralgia, Back pain, Joint swelling"),
        _measures("Rate (%)|0|92|1; Duration (days)|1|21|0; Grade|1|4|0"),
        (*_CLINICAL_ARMS, ("Grade 1–2", "Grade 3–4"), ("All grades", "Grade ≥3")), (("count", "percent"), ("n_pct",), ("percent",), ("count",), ("n_pct", "p")),
        ("Mild", "Moderate", "Severe"),
    ),
    Subject(
        ("Gene", "Gene symbol", "Symbol", "Protein", "Marker"), (), _measures("Fold change|-8|9|2; log<sub>2</sub>FC|-4|5|2; Length (bp)|300|5400|0; GC (%)|36|64|1; Score|20|900|0"),
        (("Tumor", "Normal"), ("24 h", "48 h", "72 h"), ("Microarray", "qRT-PCR"), ("Discovery", "Replication"), ("Wild type", "Mutant")),
        (("decimal", "sci"), ("decimal", "p"), ("count",), ("decimal",), ("sci",)), ("Up", "Down"), "gene", is_italic=True,
    ),
    Subject(
        ("Primer name", "Primer", "Gene", "Target"), (), _measures("Tm (°C)|52|66|1; Product (bp)|80|900|0; Length (nt)|18|26|0"),
        (("Forward", "Reverse"),), (("sequence",),), ("Sense", "Antisense"), "primer",
    ),
    Subject(
        ("Species", "Taxon", "Strain", "Organism", "Isolate"), (), _measures("Length (mm)|2|88|1; Mass (g)|0|46|2; Depth (m)|1|160|0; Prevalence (%)|0|78|1; MIC (μg/mL)|0|64|2"),
        (("Spring", "Autumn"), ("Site 1", "Site 2", "Site 3"), ("Dry season", "Wet season"), ("Males", "Females"), ("Susceptible", "Resistant")),
        (("count", "percent"), ("count",), ("mean_sd",), ("mean", "sd"), ("n_pct",), ("decimal",)), ("+", "−"), "species", is_italic=True,
    ),
    Subject(
        ("Country", "Region", "Country of birth", "Location"), (), _measures("Population (millions)|1|190|1; Rate per 100,000|1|340|1; Income (US$)|800|62000|0; Life expectancy (years)|54|84|1; Coverage (%)|20|99|0"),
        (("2000", "2010"), ("1990", "2000", "2010"), ("Urban", "Rural"), ("Males", "Females", "Total"), ("Children", "Adults")),
        (("count", "percent"), ("percent",), ("count",), ("decimal", "ci"), ("percent", "ci")), ("High", "Medium", "Low"), "country",
    ),
    Subject(
        ("Method", "Algorithm", "Model", "Approach"), (),
        _measures("Accuracy (%)|58|99|2; Sensitivity|0|1|3; Specificity|0|1|3; AUC|0|1|3; Time (s)|0|420|1; RMSE|0|9|3; F1|0|1|3"),
        (("Training", "Test"), ("Dataset 1", "Dataset 2"), ("Precision", "Recall"), ("Noise-free", "Noisy"), ("CPU", "GPU")),
        (("decimal",), ("decimal", "decimal"), ("mean_sd",), ("percent",), ("decimal", "sd")), ("Yes", "No"), "method",
    ),
    Subject(
        ("Item", "Statement", "Question", "Barrier", "Theme"),
        _groups("Knowledge: I understand how the treatment works, I know where to find help, I have heard of the programme, The information was easy to read |"
                "Attitudes: Vaccination is the best way to prevent infection, The benefits outweigh the risks, I would recommend the service to a friend, Screening should be free of charge |"
                "Practice: I wash my hands before meals, I take my medication every day, I attend all appointments, I discuss side effects with my doctor |"
                "Barriers: Lack of time, Cost of transport, Long waiting times, Fear of side effects, Language difficulties"),
        _measures("Mean|1|5|2; SD|0|2|2; Factor loading|0|1|2; Cronbach’s α|0|1|2"),
        (("Agree", "Neutral", "Disagree"), ("Physicians", "Nurses"), ("Before", "After"), ("Students", "Staff")),
        (("percent",), ("n_pct",), ("count", "percent"), ("mean", "sd")),
    ),
    Subject(
        ("Patient", "Case", "Case no.", "Subject", "ID"), (), _measures("Age (years)|1|84|0; Weight (kg)|42|110|0; Follow-up (months)|1|84|0; Dose (mg)|5|400|0; Size (cm)|0|12|1"),
        (("Before", "After"), ("Right eye", "Left eye"), ("Initial", "Final")), (("decimal",), ("word",), ("count",)),
        ("Recovered", "Died", "Stable", "Partial response", "Progression", "Complete response", "Relapse", "Lost to follow-up"), "patient",
    ),
    Subject(
        ("Compound", "Sample", "Treatment", "Extract", "Material"), (), _measures("Yield (%)|8|96|0; IC<sub>50</sub> (μM)|0|98|2; m.p. (°C)|80|260|0; Mw (g/mol)|120|780|1; LogP|-1|6|2; Zeta potential (mV)|-46|30|1"),
        (("24 h", "48 h"), ("HeLa", "MCF-7", "A549"), ("Calculated", "Found"), ("25 °C", "40 °C"), ("Dry", "Wet")),
        (("decimal",), ("mean_sd",), ("decimal", "decimal"), ("mean", "sd")), ("White solid", "Yellow oil", "Brown powder", "Active", "Inactive", "n.d."), "compound",
    ),
    Subject(
        ("Study", "Author (year)", "Reference", "Study (year)"), (), _measures("Sample size|24|4800|0; Mean age (years)|21|76|1; Quality score|2|9|0; Weight (%)|1|24|1"),
        (("Intervention", "Control"), ("Events", "Total"), ("Experimental", "Control")), (("count", "count"), ("count",), ("ratio_ci",), ("mean", "sd")),
        ("RCT", "Cohort", "Case-control", "Cross-sectional", "Prospective", "Retrospective", "Open label"), "study",
    ),
    Subject(
        ("Source", "Effect", "Predictor", "Factor", "Variable"),
        _groups("Soil: pH, Organic matter, Total N, Available P, Moisture, Clay content | Climate: Mean temperature, Annual precipitation, Wind speed, Relative humidity, Solar radiation |"
                "Land use: Forest cover, Distance to road, Grazing intensity, Field size, Elevation, Slope | Random effects: Site, Year, Plot | Interaction: Site × Year, Treatment × Time, Block × Treatment"),
        _measures("df|1|48|0; <i>F</i>|0|48|2; β|-2|3|3; SE|0|1|3; <i>t</i>|-5|8|2; <i>R</i><sup>2</sup>|0|1|2; VIF|1|6|2"),
        (_MODEL_ARMS[2], _MODEL_ARMS[4], ("Abundance", "Richness"), ("Spring", "Summer", "Autumn"), ("Full model", "Reduced model")),
        (("decimal", "p"), ("decimal", "sd", "p"), ("decimal", "ci"), ("decimal",)),
    ),
    Subject(
        ("Date", "Year", "Month", "Time", "Period", "Day"), (), _measures("Mean|10|58|2; Std.|100|250|2; MAE|90|170|2; Temperature (°C)|-8|34|1; Cases|0|900|0; Flow (m<sup>3</sup>/s)|0|88|1"),
        (("Observed", "Predicted"), ("North", "South"), ("Minimum", "Maximum"), ("Site A", "Site B")), (("decimal",), ("count",), ("count", "percent")), maker="date",
    ),
)  # fmt: skip

LABEL_PARTS: Final = {
    "genus": _split("E. S. P. B. C. L. A. M. T. D. H.", " "),
    "epithet": _split("coli aureus vulgaris alba minor communis gracilis montana pratensis officinalis lineata maculata sativa sylvestris orientalis borealis marina viridis rubra elegans", " "),
    "gene": _split("BRCA TP CDK MYC EGFR IL TNF STAT FOX SOX PAX HOX KRAS MAPK CXCL CCL MMP VEGF GAPDH ACT COL NOTCH WNT SMAD CYP ABC TLR JUN ATF GATA", " "),
    "method": _split("SVM,Random forest,k-NN,Naive Bayes,Logistic regression,CNN,LSTM,Decision tree,Gradient boosting,PCA + LDA,MLP,Lasso,Ridge regression,AdaBoost,GMM,HMM,Proposed method,Baseline,Fuzzy c-means,ANN"),
    "compound": _split("Control,Ethanol extract,Methanol extract,Water extract,Cisplatin,Doxorubicin,Quercetin,Ascorbic acid,Vehicle,PLGA,Chitosan,TiO<sub>2</sub>,ZnO,SiO<sub>2</sub>,Fe<sub>3</sub>O<sub>4</sub>"),
    "country": COUNTRIES,
}  # fmt: skip
"""What made-up row labels are put together from."""

FREE_TEXT: Final = (
    "No significant difference between groups", "Randomized controlled trial", "Role in cell cycle regulation", "Improved after treatment",
    "Not associated with outcome", "Oral administration, twice daily", "Cardiopulmonary function improvement", "Lost to follow-up",
    "Positive regulation of transcription", "Immune response", "Signal transduction", "Interview and questionnaire", "DNA repair and replication",
    "Had been treated for more than one year", "Semi-structured interviews", "Metabolic process", "Only in combination with surgery",
    "Oxidative stress", "Higher in smokers", "Decreased with age", "Membrane transport", "Observed in all samples", "Partial remission",
    "Extracellular matrix organization", "Protein folding", "Reported by two studies", "Requires further investigation", "Dose reduction",
)  # fmt: skip
SECTION_NAMES: Final = (
    "Group {}",
    "Cluster {}",
    "Year {}",
    "Dataset {}",
    "Experiment {}",
    "({})",
    "Set {}",
    "Site {}",
    "Model {}",
)
EMPTY_MARKS: Final = ("", "", "", "", "-", "–", "—", "NA", "n.a.", "ND")
FOOT_MARKS: Final = (("<sup>a</sup>", "<sup>b</sup>", "<sup>c</sup>"), ("*", "**", "***"), ("<sup>*</sup>", "<sup>**</sup>"), ("<sup>†</sup>", "<sup>‡</sup>"),
                     ("<sup>1</sup>", "<sup>2</sup>"), ("†", "‡"), ("<sup>#</sup>", "<sup>##</sup>"))  # fmt: skip
