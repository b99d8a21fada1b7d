"""Detection and localization: who hits what, FROC and its relatives, average precision as COCO."""
