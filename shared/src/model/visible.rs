//! Checks that a text has no invisible characters.
//!
//! An invisible character, or one that changes the direction of its neighbours, makes two different texts look the
//! same. The rules are by Unicode property and follow PRECIS (RFC 8264, section 9: `Unassigned`,
//! `PrecisIgnorableProperties` and `Controls` are disallowed; joiners only in the contexts of RFC 5892, appendix A) and
//! UTS #39.

use icu_properties::props::{
    CanonicalCombiningClass, DefaultIgnorableCodePoint, ExtendedPictographic, GeneralCategory,
    GeneralCategoryGroup, Ideographic, JoiningType, PrependedConcatenationMark, VariationSelector,
};
use icu_properties::{CodePointMapData, CodePointSetData};

use super::Invalid;

const ZERO_WIDTH_NON_JOINER: char = '\u{200c}';
const ZERO_WIDTH_JOINER: char = '\u{200d}';

/// Checks a name that people read. Variation selectors may follow a character that they vary, and joiners make several
/// emoji one.
pub(super) fn check_name(text: &str) -> Result<(), Invalid> {
    check(text, true)
}

/// Checks a part of an address. Addresses are compared, so none may differ by what only some fonts show.
pub(super) fn check_address(text: &str) -> Result<(), Invalid> {
    check(text, false)
}

fn check(text: &str, is_name: bool) -> Result<(), Invalid> {
    let characters: Vec<char> = text.chars().collect();
    for (at, &character) in characters.iter().enumerate() {
        let (before, after) = (characters.get(..at).unwrap_or(&[]), characters.get(at + 1..).unwrap_or(&[]));
        let is_allowed = match character {
            ZERO_WIDTH_JOINER => follows_virama(before) || (is_name && joins_pictographs(before, after)),
            ZERO_WIDTH_NON_JOINER => follows_virama(before) || breaks_cursive_letters(before, after),
            _ if !is_invisible(character) => true,
            _ => is_name && varies(before, character),
        };
        if !is_allowed {
            return Err(Invalid("must not contain control characters or invisible characters"));
        }
    }
    Ok(())
}

/// Whether a character has no glyph: controls, formats, separators of lines, what Unicode has not assigned or left to
/// others, and what a font may leave out.
#[must_use]
pub fn is_invisible(character: char) -> bool {
    // No property names these: a Braille pattern without dots, a musical note without a head, blanks of Egyptian and
    // Khitan script, and the place of an object that is not there.
    const BLANKS: [char; 6] = ['\u{2800}', '\u{1d159}', '\u{13441}', '\u{13442}', '\u{16fe4}', '\u{fffc}'];
    let has_no_glyph = GeneralCategoryGroup::Other
        .union(GeneralCategoryGroup::LineSeparator)
        .union(GeneralCategoryGroup::ParagraphSeparator)
        .contains(CodePointMapData::<GeneralCategory>::new().get(character));
    // Some format characters are visible: the Arabic number sign, for example.
    (has_no_glyph && !CodePointSetData::new::<PrependedConcatenationMark>().contains(character))
        || CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(character)
        || BLANKS.contains(&character)
}

/// RFC 5892, appendices A.1 and A.2: a joiner after a virama, as Indic scripts need it.
fn follows_virama(before: &[char]) -> bool {
    let combining_class = CodePointMapData::<CanonicalCombiningClass>::new();
    before.last().is_some_and(|&c| combining_class.get(c) == CanonicalCombiningClass::Virama)
}

/// RFC 5892, appendix A.1: a non-joiner between letters that would join, as Persian needs it.
fn breaks_cursive_letters(before: &[char], after: &[char]) -> bool {
    let joining = CodePointMapData::<JoiningType>::new();
    let joining_type = |&c: &char| Some(joining.get(c)).filter(|kind| *kind != JoiningType::Transparent);
    let left = before.iter().rev().find_map(joining_type);
    let right = after.iter().find_map(joining_type);
    matches!(left, Some(JoiningType::LeftJoining | JoiningType::DualJoining))
        && matches!(right, Some(JoiningType::RightJoining | JoiningType::DualJoining))
}

/// UTS #51: emoji that are one picture.
fn joins_pictographs(before: &[char], after: &[char]) -> bool {
    let is_pictograph = |&c: &char| CodePointSetData::new::<ExtendedPictographic>().contains(c);
    let is_modifier = |c: &&char| ('\u{1f3fb}'..='\u{1f3ff}').contains(*c) || **c == '\u{fe0f}';
    before.iter().rev().find(|c| !is_modifier(c)).is_some_and(is_pictograph)
        && after.first().is_some_and(is_pictograph)
}

/// Whether a variation selector has something to vary: an ideograph (UTS #37), an emoji or a Mongolian letter.
fn varies(before: &[char], selector: char) -> bool {
    CodePointSetData::new::<VariationSelector>().contains(selector)
        && before.last().is_some_and(|&c| {
            CodePointSetData::new::<Ideographic>().contains(c)
                || CodePointSetData::new::<ExtendedPictographic>().contains(c)
                || ('\u{1820}'..='\u{18aa}').contains(&c)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_nobody_sees() {
        for invisible in [
            '\0',
            '\n',
            '\u{85}',
            '\u{ad}',
            '\u{34f}',
            '\u{61c}',
            '\u{115f}',
            '\u{1160}',
            '\u{17b4}',
            '\u{180e}',
            '\u{200b}',
            '\u{200c}',
            '\u{200d}',
            '\u{200e}',
            '\u{200f}',
            '\u{2028}',
            '\u{2029}',
            '\u{202a}',
            '\u{202e}',
            '\u{2060}',
            '\u{2064}',
            '\u{2066}',
            '\u{2069}',
            '\u{3164}',
            '\u{fe0f}',
            '\u{feff}',
            '\u{ffa0}',
            '\u{fff9}',
            '\u{1d173}',
            '\u{2800}',
            '\u{1d159}',
            '\u{13441}',
            '\u{13442}',
            '\u{16fe4}',
            '\u{fffc}',
            '\u{378}',
            '\u{e000}',
            '\u{fdd0}',
            '\u{fffe}',
            '\u{10ffff}',
            '\u{e0041}',
            '\u{e0100}',
        ] {
            for text in [format!("Jane{invisible}"), format!("{invisible}Jane"), format!("Ja{invisible}ne")] {
                assert!(check_name(&text).is_err(), "{text:?}");
                assert!(check_address(&text).is_err(), "{text:?}");
            }
        }
    }

    #[test]
    fn keeps_what_scripts_need() {
        for text in [
            "Zoë",
            "O'Brien",
            "مح\u{200c}مد",
            "نامه\u{200c}ای",
            "ක\u{dca}\u{200d}ර",
            "क\u{94d}\u{200d}ष",
            "क\u{94d}\u{200c}ष",
            "François",
            "Nguyễn Văn",
            "Ⅳ",
            "\u{600}1",
            "한글",
        ] {
            assert!(check_name(text).is_ok(), "{text:?}");
            assert!(check_address(text).is_ok(), "{text:?}");
        }
        // Two forms of one character in a Japanese name, and emoji that a joiner makes one in some fonts: a name may use
        // them, an address may not.
        for text in ["葛\u{e0100}城", "❤\u{fe0f}", "👩\u{200d}💻", "👩🏽\u{200d}💻", "©\u{200d}®"]
        {
            assert!(check_name(text).is_ok(), "{text:?}");
            assert!(check_address(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn refuses_joiners_where_no_script_needs_them() {
        for text in [
            "a\u{200d}b",
            "a\u{200c}b",
            "م\u{200d}",
            "\u{200c}م",
            "م\u{200c}",
            "👩\u{200d}",
            "\u{200d}💻",
            "1\u{200c}م",
        ] {
            assert!(check_name(text).is_err(), "{text:?}");
        }
    }
}
