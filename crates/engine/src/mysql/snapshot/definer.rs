//! Who a view, trigger, routine or event runs as.

/// The definition without its DEFINER, so that it can be restored where there is no such account: whoever restores it
/// becomes the definer.
pub(super) fn strip(definition: &str) -> String {
    // MySQL quotes by the mode the object was made under.
    let at = |mark: &str| definition.find(mark);
    let Some(start) = at(" DEFINER=`").into_iter().chain(at(" DEFINER=\"")).min() else { return definition.to_owned() };
    let mut end = start + " DEFINER=".len();
    end = past_name(definition, end);
    if definition[end..].starts_with('@') {
        end = past_name(definition, end + 1);
    }
    format!("{}{}", &definition[..start], &definition[end..])
}

/// The end of a name in quotes that starts at `start`.
fn past_name(text: &str, start: usize) -> usize {
    let mut rest = text[start..].char_indices().peekable();
    let quote = rest.next().map_or('`', |(_, quote)| quote);
    while let Some((at, c)) = rest.next() {
        if c == quote && rest.next_if(|(_, next)| *next == quote).is_none() {
            return start + at + 1;
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::strip;

    #[test]
    fn only_the_definer_goes() {
        assert_eq!(
            strip("CREATE ALGORITHM=MERGE DEFINER=`ro``ot`@`%` SQL SECURITY DEFINER VIEW `v` AS select 1"),
            "CREATE ALGORITHM=MERGE SQL SECURITY DEFINER VIEW `v` AS select 1"
        );
        assert_eq!(
            strip("CREATE DEFINER=`role` PROCEDURE `p`() SELECT ' DEFINER=`x`'"),
            "CREATE PROCEDURE `p`() SELECT ' DEFINER=`x`'"
        );
        assert_eq!(strip("CREATE DEFINER=\"a\"@\"%\" FUNCTION \"f\"() RETURN 1"), "CREATE FUNCTION \"f\"() RETURN 1");
        assert_eq!(strip("CREATE PROCEDURE `p`() SELECT 1"), "CREATE PROCEDURE `p`() SELECT 1");
    }
}
