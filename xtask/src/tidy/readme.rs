//! The Rust of README and of the guide's pages is code that is compiled somewhere.
//!
//! Before each ```` ```rust ```` block stands `<!-- example: path/to/file.rs#name -->`; the block equals the lines between `// ANCHOR: name` and
//! `// ANCHOR_END: name` of that file, less their common indentation.

use super::Tree;

const README: &str = "README.md";
const GUIDE: &str = "crates/lakebase/docs/";
const LINES: usize = 250;
const COLUMNS: usize = 100;
/// How a line starts that says where a block is from.
const MARK: &str = "<!-- example: ";

/// Blocks without a source, with a missing one, or that differ from it.
pub(super) fn examples(tree: &Tree) -> Vec<String> {
    if !tree.contains_key(README) {
        return vec![format!("{README} is missing")];
    }
    tree.iter()
        .filter(|(path, _)| *path == README || path.starts_with(GUIDE))
        .flat_map(|(path, text)| of_page(tree, path, text))
        .collect()
}

/// What makes README longer than a newcomer reads: more than 250 lines, or lines of more than 100 columns, tables apart.
pub(super) fn size(tree: &Tree) -> Vec<String> {
    let text = tree.get(README).map(String::as_str).unwrap_or_default();
    let count = text.lines().count();
    let long = text.lines().enumerate().filter(|(_, line)| {
        let columns = line.chars().count();
        columns > COLUMNS && !line.starts_with('|')
    });
    let long = long.map(|(index, _)| format!("{README}:{}: over {COLUMNS} columns", index + 1));
    let many = (count > LINES).then(|| format!("{README}: {count} lines; at most {LINES}"));
    long.chain(many).collect()
}

fn of_page(tree: &Tree, page: &str, text: &str) -> Vec<String> {
    let lines: Vec<&str> = text.lines().collect();
    let check = |start: usize| {
        let above = lines[..start].iter().rev().find(|line| !line.trim().is_empty());
        let named = above.and_then(|line| line.trim().strip_prefix(MARK)?.strip_suffix(" -->"));
        let named = named.ok_or("no `<!-- example: file#name -->` before it")?;
        let block = lines[start + 1..].iter().take_while(|line| !line.starts_with("```"));
        compare(tree, named.trim(), &block.copied().collect::<Vec<_>>())
    };
    let starts = (0..lines.len()).filter(|index| lines[*index].starts_with("```rust"));
    starts
        .filter_map(|start| check(start).err().map(|why| format!("{page}:{}: {why}", start + 1)))
        .collect()
}

fn compare(tree: &Tree, named: &str, block: &[&str]) -> Result<(), String> {
    let (path, anchor) =
        named.split_once('#').ok_or_else(|| format!("`{named}` names no anchor"))?;
    let text = tree.get(path).ok_or_else(|| format!("there is no {path}"))?;
    let source = anchored(text, anchor)
        .ok_or_else(|| format!("{path} has no `// ANCHOR: {anchor}` with its end"))?;
    let mut pairs = source.iter().zip(block).enumerate();
    if let Some((index, (there, here))) = pairs.find(|(_, (there, here))| there != here) {
        return Err(format!("line {} is `{here}`, but `{there}` in {named}", index + 1));
    }
    if source.len() == block.len() {
        Ok(())
    } else {
        Err(format!("{} lines, but {} in {named}", block.len(), source.len()))
    }
}

/// The lines of an anchor, less their common indentation, other anchors' marks and blank edges.
fn anchored(text: &str, anchor: &str) -> Option<Vec<String>> {
    let (start, end) = (format!("// ANCHOR: {anchor}"), format!("// ANCHOR_END: {anchor}"));
    let lines: Vec<&str> = text.lines().collect();
    let first = lines.iter().position(|line| line.trim() == start)?;
    let last = lines.iter().position(|line| line.trim() == end)?;
    let body: Vec<&str> = lines
        .get(first + 1..last)?
        .iter()
        .copied()
        .filter(|line| !line.trim().starts_with("// ANCHOR"))
        .collect();
    let indent = body
        .iter()
        .filter(|line| !line.trim().is_empty())
        .map(|line| line.len() - line.trim_start().len())
        .min()?;
    Some(
        body.iter()
            .map(|line| line.get(indent..).unwrap_or_default().trim_end().to_owned())
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tree;

    const CODE: &str = "//! x\nfn main() {\n    // ANCHOR: a\n    let x = 1;\n\n    if x > 0 {\n        f(x);\n    }\n    // ANCHOR_END: a\n}\n";

    fn check(readme: &str, expected: &[&str]) {
        let wrong = examples(&tree(&[("README.md", readme), ("tests/x.rs", CODE)]));
        assert_eq!(wrong, expected);
    }

    #[test]
    fn long_pages_and_lines_are_named() {
        let sizes = |text: &str| size(&tree(&[("README.md", text)]));
        let wide = "ü".repeat(100);
        assert_eq!(sizes(&format!("{wide}\n|{wide}\n")), [""; 0]);
        assert_eq!(sizes(&format!("\n{wide}x\n")), ["README.md:2: over 100 columns"]);
        assert_eq!(sizes(&"x\n".repeat(251)), ["README.md: 251 lines; at most 250"]);
    }

    #[test]
    fn equal_blocks_pass() {
        check(
            "text\n\n<!-- example: tests/x.rs#a -->\n\n```rust\nlet x = 1;\n\nif x > 0 {\n    f(x);\n}\n```\n```sh\nls\n```\n",
            &[],
        );
    }

    #[test]
    fn differences_are_named() {
        check(
            "<!-- example: tests/x.rs#a -->\n```rust\nlet x = 2;\n```\n",
            &["README.md:2: line 1 is `let x = 2;`, but `let x = 1;` in tests/x.rs#a"],
        );
        check(
            "<!-- example: tests/x.rs#a -->\n```rust\nlet x = 1;\n```\n",
            &["README.md:2: 1 lines, but 5 in tests/x.rs#a"],
        );
    }

    #[test]
    fn blocks_need_a_source_that_exists() {
        check(
            "```rust,no_run\nx\n```\n",
            &["README.md:1: no `<!-- example: file#name -->` before it"],
        );
        check(
            "<!-- example: tests/x.rs#a -->\nprose\n```rust\nx\n```\n",
            &["README.md:3: no `<!-- example: file#name -->` before it"],
        );
        check("<!-- example: y.rs#a -->\n```rust\nx\n```\n", &["README.md:2: there is no y.rs"]);
        check(
            "<!-- example: tests/x.rs#b -->\n```rust\nx\n```\n",
            &["README.md:2: tests/x.rs has no `// ANCHOR: b` with its end"],
        );
        assert_eq!(examples(&tree(&[])), ["README.md is missing"]);
        let page = ("crates/lakebase/docs/a.md", "```rust\nx\n```\n");
        assert_eq!(
            examples(&tree(&[("README.md", ""), page])),
            ["crates/lakebase/docs/a.md:1: no `<!-- example: file#name -->` before it"]
        );
    }
}
