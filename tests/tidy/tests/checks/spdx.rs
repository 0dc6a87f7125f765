//! SPDX licence expressions: `(MIT OR Apache-2.0) AND Unicode-3.0`.

/// Whether a choice among the expression's `OR`s leaves only licences that are `allowed`. A licence with an exception is
/// looked up with it, as in `Apache-2.0 WITH LLVM-exception`. The old `MIT/Apache-2.0` means a choice.
///
/// # Errors
/// The place at which the text stops being an expression.
pub fn satisfied(expression: &str, allowed: &dyn Fn(&str) -> bool) -> Result<bool, String> {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let tokens: Vec<&str> = spaced.split_whitespace().collect();
    let mut reader = Reader { tokens: &tokens, allowed };
    let satisfied = reader.any()?;
    match reader.tokens {
        [] => Ok(satisfied),
        [token, ..] => Err(format!("{token:?} is too much in {expression:?}")),
    }
}

struct Reader<'a> {
    tokens: &'a [&'a str],
    allowed: &'a dyn Fn(&str) -> bool,
}

impl<'a> Reader<'a> {
    fn any(&mut self) -> Result<bool, String> {
        let mut satisfied = self.all()?;
        while self.take("OR") {
            satisfied |= self.all()?;
        }
        Ok(satisfied)
    }

    /// `AND` binds closer than `OR`.
    fn all(&mut self) -> Result<bool, String> {
        let mut satisfied = self.one()?;
        while self.take("AND") {
            satisfied &= self.one()?;
        }
        Ok(satisfied)
    }

    fn one(&mut self) -> Result<bool, String> {
        if self.take("(") {
            let satisfied = self.any()?;
            return if self.take(")") { Ok(satisfied) } else { Err("a bracket is left open".to_owned()) };
        }
        let licence = self.name()?;
        if self.take("WITH") {
            let exception = self.name()?;
            return Ok((self.allowed)(&format!("{licence} WITH {exception}")));
        }
        Ok((self.allowed)(licence))
    }

    fn name(&mut self) -> Result<&'a str, String> {
        match self.tokens {
            [name, rest @ ..] if !["AND", "OR", "WITH", "(", ")"].contains(name) => {
                self.tokens = rest;
                Ok(name)
            }
            _ => Err(format!("a licence is missing before {:?}", self.tokens)),
        }
    }

    fn take(&mut self, word: &str) -> bool {
        let here = self.tokens.first() == Some(&word);
        if here {
            self.tokens = &self.tokens[1..];
        }
        here
    }
}

#[test]
fn choices_and_sums() {
    let check = |expression: &str, expect: Result<bool, ()>| {
        let found = satisfied(expression, &|name| ["MIT", "Zlib", "Apache-2.0 WITH LLVM-exception"].contains(&name));
        assert_eq!(found.clone().map_err(|_| ()), expect, "{expression}: {found:?}");
    };
    check("MIT", Ok(true));
    check("GPL-3.0-only", Ok(false));
    check("GPL-3.0-only OR MIT", Ok(true));
    check("GPL-3.0-only/MIT", Ok(true));
    check("GPL-3.0-only AND MIT", Ok(false));
    check("MIT AND (GPL-3.0-only OR Zlib)", Ok(true));
    check("MIT OR GPL-3.0-only AND Zlib", Ok(true));
    check("(MIT OR GPL-3.0-only) AND GPL-2.0-only", Ok(false));
    check("Apache-2.0 WITH LLVM-exception", Ok(true));
    check("Apache-2.0", Ok(false));
    check("MIT WITH LLVM-exception", Ok(false));
    check("(MIT", Err(()));
    check("MIT MIT", Err(()));
    check("OR MIT", Err(()));
    check("", Err(()));
}
