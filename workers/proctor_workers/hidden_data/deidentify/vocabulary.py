"""Words that name nobody: of protocols, of markers in pictures, and of columns that tell too much.

Lists of ours, from what imaging departments write; they grow with what is met.
"""

_PROTOCOLS = """
ax axial sag sagittal cor coronal obl oblique tra trans transverse ap pa lat lateral rt lt left
right bilat bilateral up down sup inf ant post flair tse fse tfe ffe gre spgr fspgr mprage mp rage
space vibe lava thrive dixon stir tirm haste ssfse bssfp trufi fiesta ciss epi dwi adc trace dti
swi tof pcasl asl bold fmri fatsat fs fat sat water gad gd contrast pre dyn dynamic mip mpr minip
recon soft bone lung brain kernel std standard thin thick slice slices helical scout topogram
localizer locator survey cal calib test ref mip map maps art arterial ven venous portal delayed
delay phase nc ce cect ncct hrct cta ctp mra mrv mrcp pet spect suv nac wb whole body head neck
chest thorax abd abdomen pelvis spine csp cspine tspine lspine hand wrist elbow shoulder hip knee
ankle foot skull sinus sinuses orbit orbits iac breast mammo mlo tomo dbt duplex doppler cine scan
series study image images exam protocol routine stroke trauma cardiac heart coronary calcium score
gated ecg aorta liver kidney renal prostate bladder rectum cervical thoracic lumbar sacrum
extremity upper lower portable bedside erect supine prone inspiration expiration view views low
high dose res resolution iso isotropic plain enhanced enhancement with without and for not only
after before max min avg mean sum sub subtraction derived original processed reformat reformatted
vol volume acq acquisition motion corr corrected correction fov sec kvp mas siemens philips canon
toshiba hitachi fuji agfa carestream hologic healthcare medical systems omnipaque ultravist
visipaque isovue iomeron gadovist dotarem primovist
"""
_MARKERS = """
L R LT RT LEFT RIGHT LI RE AP PA LAT OBL CC MLO LCC RCC LMLO RMLO ERECT SUPINE PORTABLE UPRIGHT
MOBILE INSP EXP HEAD FOOT
"""
_TELLING_COLUMNS = """
dob birthdate birthday geburtsdatum mrn ssn nhs surname lastname firstname forename vorname
nachname address street adresse zip zipcode postcode plz phone telephone telefon fax email mail
initials accession insurance
"""

PROTOCOL_WORDS = frozenset(_PROTOCOLS.split())
MARKERS = frozenset(_MARKERS.split())
TELLING_COLUMNS = frozenset(_TELLING_COLUMNS.split())
