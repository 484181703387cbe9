//! Cells of a CSV file that a spreadsheet would read as a formula.

/// The characters that a spreadsheet reads as the start of a formula, or skips before one.
const STARTS: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];

/// Makes a cell that no spreadsheet reads as a formula: `=1+1` becomes `'=1+1`.
///
/// So that [`restore`] can undo it, `'=1+1` becomes `''=1+1`.
pub(crate) fn neutralise(cell: String) -> String {
    if cell.trim_start_matches('\'').starts_with(STARTS) { format!("'{cell}") } else { cell }
}

/// Undoes [`neutralise`].
pub(crate) fn restore(cell: &str) -> &str {
    match cell.strip_prefix('\'') {
        Some(rest) if rest.trim_start_matches('\'').starts_with(STARTS) => rest,
        _ => cell,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_starts_a_formula_and_each_is_restored() {
        for (cell, expected) in [
            ("=1+1", "'=1+1"),
            ("+49 30 1", "'+49 30 1"),
            ("-Ann", "'-Ann"),
            ("@home", "'@home"),
            ("\tx", "'\tx"),
            ("\rx", "'\rx"),
            ("'=x", "''=x"),
            ("''@", "'''@"),
            ("'t Hooft", "'t Hooft"),
            ("'", "'"),
            ("", ""),
            ("a=b", "a=b"),
        ] {
            assert_eq!(neutralise(cell.to_owned()), expected);
            assert_eq!(restore(expected), cell);
        }
    }
}
