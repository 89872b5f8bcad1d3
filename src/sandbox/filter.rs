//! The filter grammar of RFC 7644 §3.4.2.2, parsed and bound to a schema.

use serde_json::Value;

use super::error::{Fail, Outcome};
use super::schema::{Attribute, Kind, ResourceType, Target};

/// How deep parentheses may nest.
const MAX_DEPTH: usize = 40;

/// A comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Op {
    Eq,
    Ne,
    Co,
    Sw,
    Ew,
    Gt,
    Lt,
    Ge,
    Le,
    Pr,
}

/// A filter whose names are resolved.
#[derive(Debug, Clone)]
pub(super) enum Filter {
    And(Box<Filter>, Box<Filter>),
    Or(Box<Filter>, Box<Filter>),
    Not(Box<Filter>),
    /// A comparison; for [`Op::Pr`] the value is null.
    Test(Target, Op, Value),
    /// `attr[filter]`: some value of the attribute passes.
    Any(Target, Box<Filter>),
}

/// A PATCH path: an attribute, perhaps only some of its values.
#[derive(Debug, Clone)]
pub(super) struct Path {
    pub target: Target,
    pub filter: Option<Filter>,
}

/// Whose attributes names stand for.
#[derive(Clone, Copy)]
enum Scope {
    Resource(&'static ResourceType),
    Values(&'static Attribute),
}

impl Scope {
    fn resolve(self, name: &str) -> Outcome<Target> {
        let found = match self {
            Self::Resource(kind) => kind.resolve(name),
            Self::Values(attr) => attr.sub(name).map(|sub| Target { extension: None, attr: Some(sub), sub: None }),
        };
        found.ok_or_else(|| Fail::filter(format!("unknown attribute '{name}'")))
    }
}

/// Parses a filter on resources of one type.
pub(super) fn parse(text: &str, kind: &'static ResourceType) -> Outcome<Filter> {
    let mut parser = Parser { rest: text, depth: 0 };
    let filter = parser.either(Scope::Resource(kind))?;
    parser.space();
    if parser.rest.is_empty() { Ok(filter) } else { Err(Fail::filter(format!("unexpected '{}'", parser.rest))) }
}

/// Parses a PATCH path.
pub(super) fn parse_path(text: &str, kind: &'static ResourceType) -> Outcome<Path> {
    let invalid = |why: String| Fail::bad("invalidPath", why);
    let mut parser = Parser { rest: text.trim(), depth: 0 };
    let name = parser.name().map_err(|fail| invalid(fail.detail))?;
    let unknown = || invalid(format!("unknown attribute '{name}'"));
    let mut target = kind.resolve(name).ok_or_else(unknown)?;
    let mut filter = None;
    if parser.eat("[") {
        let attr = target.attr.filter(|attr| attr.multi && target.sub.is_none());
        let attr = attr.ok_or_else(|| invalid(format!("'{name}' has no values to choose from")))?;
        filter = Some(parser.either(Scope::Values(attr))?);
        parser.space();
        if !parser.eat("]") {
            return Err(invalid("missing ']'".into()));
        }
        if parser.eat(".") {
            let sub = parser.name().map_err(|fail| invalid(fail.detail))?;
            target.sub = Some(attr.sub(sub).ok_or_else(unknown)?);
        }
    }
    if parser.rest.is_empty() {
        Ok(Path { target, filter })
    } else {
        Err(invalid(format!("unexpected '{}'", parser.rest)))
    }
}

struct Parser<'a> {
    rest: &'a str,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn space(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn eat(&mut self, token: &str) -> bool {
        match self.rest.strip_prefix(token) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn name(&mut self) -> Outcome<&'a str> {
        let end =
            self.rest.find(|c: char| !(c.is_ascii_alphanumeric() || "_-$:.".contains(c))).unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at(end);
        if name.is_empty() {
            return Err(Fail::filter(format!("expected a name before '{}'", self.rest)));
        }
        self.rest = rest;
        Ok(name)
    }

    /// Takes a word if it comes next, in any letter case, as a whole word.
    fn word(&mut self, word: &str) -> bool {
        let mut ahead = Parser { rest: self.rest.trim_start(), depth: 0 };
        let taken = ahead.name().is_ok_and(|name| name.eq_ignore_ascii_case(word));
        if taken {
            self.rest = ahead.rest;
        }
        taken
    }

    fn either(&mut self, scope: Scope) -> Outcome<Filter> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(Fail::filter("too deeply nested"));
        }
        let mut left = self.both(scope)?;
        while self.word("or") {
            left = Filter::Or(Box::new(left), Box::new(self.both(scope)?));
        }
        self.depth -= 1;
        Ok(left)
    }

    fn both(&mut self, scope: Scope) -> Outcome<Filter> {
        let mut left = self.single(scope)?;
        while self.word("and") {
            left = Filter::And(Box::new(left), Box::new(self.single(scope)?));
        }
        Ok(left)
    }

    fn group(&mut self, scope: Scope) -> Outcome<Filter> {
        let inner = self.either(scope)?;
        self.space();
        if self.eat(")") { Ok(inner) } else { Err(Fail::filter("missing ')'")) }
    }

    fn single(&mut self, scope: Scope) -> Outcome<Filter> {
        self.space();
        if self.eat("(") {
            return self.group(scope);
        }
        let before = self.rest;
        if self.word("not") {
            self.space();
            if self.eat("(") {
                return Ok(Filter::Not(Box::new(self.group(scope)?)));
            }
            self.rest = before;
        }
        let target = scope.resolve(self.name()?)?;
        if self.eat("[") {
            let Some(attr) = target.attr.filter(|attr| attr.kind == Kind::Complex) else {
                return Err(Fail::filter("only complex attributes take '[…]'"));
            };
            let inner = self.either(Scope::Values(attr))?;
            self.space();
            if !self.eat("]") {
                return Err(Fail::filter("missing ']'"));
            }
            return Ok(Filter::Any(target, Box::new(inner)));
        }
        self.space();
        let op = op(self.name()?)?;
        let value = if op == Op::Pr { Value::Null } else { self.literal()? };
        check(target, op, &value)?;
        Ok(Filter::Test(target, op, value))
    }

    fn literal(&mut self) -> Outcome<Value> {
        self.space();
        let mut stream = serde_json::Deserializer::from_str(self.rest).into_iter::<Value>();
        match stream.next() {
            Some(Ok(value)) if !value.is_array() && !value.is_object() => {
                self.rest = &self.rest[stream.byte_offset()..];
                Ok(value)
            }
            _ => Err(Fail::filter(format!("expected a value at '{}'", self.rest))),
        }
    }
}

fn op(name: &str) -> Outcome<Op> {
    Ok(match name.to_ascii_lowercase().as_str() {
        "eq" => Op::Eq,
        "ne" => Op::Ne,
        "co" => Op::Co,
        "sw" => Op::Sw,
        "ew" => Op::Ew,
        "gt" => Op::Gt,
        "lt" => Op::Lt,
        "ge" => Op::Ge,
        "le" => Op::Le,
        "pr" => Op::Pr,
        _ => return Err(Fail::filter(format!("unknown operator '{name}'"))),
    })
}

/// Refuses a comparison that makes no sense for the attribute's type.
fn check(target: Target, op: Op, value: &Value) -> Outcome<()> {
    let Some(attr) = target.leaf() else {
        return match op {
            Op::Pr => Ok(()),
            _ => Err(Fail::filter("a complex attribute cannot be compared")),
        };
    };
    let fits = match (attr.kind, op) {
        (_, Op::Pr) => true,
        (_, Op::Eq | Op::Ne) if value.is_null() => true,
        (Kind::Boolean, Op::Eq | Op::Ne) => value.is_boolean(),
        (Kind::DateTime, Op::Eq | Op::Ne | Op::Gt | Op::Ge | Op::Lt | Op::Le) => {
            value.as_str().is_some_and(|text| text.parse::<jiff::Timestamp>().is_ok())
        }
        (Kind::Boolean, _) | (Kind::Binary, Op::Gt | Op::Ge | Op::Lt | Op::Le) => false,
        _ => value.is_string(),
    };
    if fits {
        Ok(())
    } else {
        Err(Fail::filter(format!("{op:?} with {value} is not for '{}', a {}", attr.name, attr.kind_name)))
    }
}

impl Target {
    /// The attribute whose values are compared: the sub-attribute, a plain
    /// attribute, or the `value` of a multi-valued complex one.
    pub fn leaf(self) -> Option<&'static Attribute> {
        match (self.sub, self.attr) {
            (Some(sub), _) => Some(sub),
            (None, Some(attr)) if attr.kind == Kind::Complex && attr.multi => attr.sub("value"),
            (None, Some(attr)) => (attr.kind != Kind::Complex).then_some(attr),
            (None, None) => None,
        }
    }
}
