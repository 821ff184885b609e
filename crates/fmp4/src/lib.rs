//! Frames to CMAF/ISO-BMFF init segments and fragments.
