// Names that the server accepts, and names that it rejects. The pages must agree.

/** As keyboards send them. Some have marks, which are characters of their own. */
export const GOOD_NAMES = [
  "Zoë",
  "José".normalize("NFD"),
  "Ωμέγα_7",
  "प्रिया",
  "தமிழ்",
  "সুচিত্রা",
  "ภาษาไทย",
  "김철수".normalize("NFD"),
  "-_-",
];

export const BAD_NAMES = [
  "two words",
  "\u0301ana", // A mark needs a letter before it,
  "a-\u0301", // and not a sign.
  "a\u200bb", // A blank that nobody sees.
  "🙂",
  "a/b",
  " ana",
];

/** So many characters that the name is as long as may be; each has a mark, if sent in NFD. */
export const longest = (limit) => "é".repeat(limit).normalize("NFD");
