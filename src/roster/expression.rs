//! CEL over a row, bounded in cost: there are no loops, so that an expression takes as long as it is.

use std::collections::HashMap;
use std::sync::Arc;

use cel::common::ast::{CallExpr, Expr, IdedExpr, LiteralValue, operators};
use cel::objects::{Key, Map};
use cel::{Context, Env, ExecutionError, Value};

use super::columns::Wanted;
use super::functions;
use crate::scim::composed;

/// So deep an expression may be nested.
const DEEPEST: usize = 100;
/// Of the standard library.
const STANDARD: [&str; 10] =
    ["size", "contains", "startsWith", "endsWith", "string", "int", "double", "uint", "bool", "dyn"];

/// An expression, and the columns that it reads.
#[derive(Clone, Debug)]
pub struct Expression {
    ast: IdedExpr,
    /// As it is written.
    text: String,
    /// As they are spelled in it.
    columns: Vec<String>,
}

/// An expression can't be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {problem}")]
pub struct ExpressionError {
    /// Where it stands.
    pub place: String,
    /// What is wrong, with line and column.
    pub problem: String,
}

/// The functions of expressions; made once, and used for every row.
pub struct Library(Context<'static, 'static>);

impl Library {
    /// The standard library without its loops, and [`functions`].
    pub fn new() -> Self {
        let mut context = Context::with_env(Arc::new(environment()));
        // It fails where a name is taken, which a test would see.
        let _ = functions::add_to(&mut context);
        Self(context)
    }
}

impl Default for Library {
    fn default() -> Self {
        Self::new()
    }
}

/// Without macros, and so without comprehensions.
fn environment() -> Env {
    Env::default().with_optional_support(false).with_stdlib()
}

impl Expression {
    /// Reads an expression; `place` names it in errors. A column that stands alone is read `by` this function.
    pub fn compile(place: &str, text: &str, by: Option<&str>) -> Result<Self, ExpressionError> {
        // As values are, so that a text that was typed on a Mac is equal to them.
        let text = &composed(text);
        let error = |problem: String| ExpressionError { place: place.to_owned(), problem };
        let nesting = nesting(text);
        if nesting > DEEPEST {
            return Err(error(format!("it is nested {nesting} deep; {DEEPEST} are allowed")));
        }
        let program = environment().compile(text).map_err(|errors| {
            let first = errors.errors.first();
            let (line, column) = first.map_or((1, 1), |first| first.pos);
            let detail = first.map(|first| first.msg.chars().take(160).collect::<String>()).unwrap_or_default();
            let hint =
                if assigns(text) { "; one value is compared with another by ==".to_owned() } else { quoted(text) };
            error(format!("line {line} column {column}: {detail}{hint}"))
        })?;
        let mut ast = program.expression().clone();
        let position = |id: u64| {
            let at = program.source_info().offset_for(id).map_or(0, |(start, _)| start as usize);
            let before: String = text.chars().take(at).collect();
            let column = before.rsplit('\n').next().map_or(0, |line| line.chars().count()) + 1;
            format!("line {} column {column}", before.matches('\n').count() + 1)
        };
        let mut reader = Reader { columns: Vec::new(), position: &position };
        reader.visit(&mut ast, 0).map_err(|problem| error(format!("{problem}{}", quoted(text))))?;
        if let Some(function) = by {
            read_by(function, &mut ast);
        }
        Ok(Self { ast, text: text.trim().to_owned(), columns: reader.columns })
    }

    /// As it is written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The columns that it reads, as they are spelled in it.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// Its value for a row. The error names columns and functions, never values.
    pub fn evaluate(&self, library: &Library, wanted: &Wanted, row: &[serde_json::Value]) -> Result<Value, String> {
        let mut scope = library.0.new_inner_scope();
        let values = self.columns.iter().map(|column| {
            let value = wanted.place(column).and_then(|place| row.get(place)).map_or(Value::Null, cel_value);
            (Key::String(Arc::new(column.clone())), value)
        });
        let row: HashMap<Key, Value> = values.collect();
        scope.add_variable_from_value("row", Value::Map(Map { map: Arc::new(row) }));
        Value::resolve(&self.ast, &scope).map_err(|error| self.error_text(&error))
    }

    fn error_text(&self, error: &ExecutionError) -> String {
        let what = match error {
            ExecutionError::FunctionError { function, message } => format!("{function}: {message}"),
            ExecutionError::NoSuchOverload(error) => format!("{error}"),
            ExecutionError::UndeclaredReference(name) => format!("there is no {name}"),
            ExecutionError::InvalidArgumentCount { expected, actual } => {
                format!("a function wants {expected} values and has {actual}")
            }
            ExecutionError::IndexOutOfBounds(_) => "the list is shorter than the index".to_owned(),
            ExecutionError::NoSuchKey(_) => "the value has no such key".to_owned(),
            // The others show the values that they stumbled over, which are personal data.
            _ => "the values don't fit what is done with them".to_owned(),
        };
        match self.columns.as_slice() {
            [] => what,
            columns => format!("column {}: {what}", columns.join(", ")),
        }
    }
}

/// How deep brackets go, before the parser goes after them.
fn nesting(text: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    for letter in text.chars() {
        match letter {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

/// How a column is written whose name is no identifier, such as `row.Présent` or `row.E-Mail`.
fn quoted(text: &str) -> String {
    let of_row = text.split("row.").skip(1);
    let names = of_row.map(|rest| {
        let end = rest.find(|letter: char| !(letter.is_alphanumeric() || "_-".contains(letter))).unwrap_or(rest.len());
        &rest[..end]
    });
    let odd = |name: &&str| !name.is_ascii() || name.contains('-');
    names
        .into_iter()
        .find(odd)
        .map_or_else(String::new, |name| format!("; for a column of this name write row[\"{name}\"]"))
}

/// A `=` that is not of `==`, `!=`, `<=` or `>=`, and in no text: portals write one where CEL writes two.
fn assigns(text: &str) -> bool {
    let (mut quote, mut before, mut letters) = (None, ' ', text.chars().peekable());
    while let Some(letter) = letters.next() {
        match (quote, letter) {
            (Some(_), '\\') => drop(letters.next()),
            (Some(open), _) if open == letter => quote = None,
            (None, '"' | '\'') => quote = Some(letter),
            (None, '=') if letters.next_if_eq(&'=').is_none() && !['!', '<', '>'].contains(&before) => return true,
            _ => {}
        }
        before = letter;
    }
    false
}

struct Reader<'a> {
    columns: Vec<String>,
    position: &'a dyn Fn(u64) -> String,
}

impl Reader<'_> {
    /// Gathers the columns, refuses what isn't there, and reads columns as flags where only a flag makes sense.
    fn visit(&mut self, node: &mut IdedExpr, depth: usize) -> Result<(), String> {
        if depth > DEEPEST {
            return Err(format!("it is nested too deep; {DEEPEST} are allowed: use a list, join or coalesce"));
        }
        if let Some(column) = column_of(node) {
            if !self.columns.iter().any(|known| known == column) {
                self.columns.push(column.to_owned());
            }
            return Ok(());
        }
        let place = (self.position)(node.id);
        match &mut node.expr {
            Expr::Ident(name) if name == "row" => {
                Err(format!("{place}: write row.column, or row[\"a column\"] with its name in quotation marks"))
            }
            Expr::Ident(name) => Err(format!(
                "{place}: there is no {name}; a column is row.{name}, and a text stands in quotation marks, \"{name}\""
            )),
            Expr::Literal(_) | Expr::Unspecified => Ok(()),
            Expr::Select(select) => self.visit(&mut select.operand, depth + 1),
            Expr::List(list) => list.elements.iter_mut().try_for_each(|element| self.visit(element, depth + 1)),
            Expr::Call(call) => {
                let name = call.func_name.as_str();
                if name.starts_with(|letter: char| letter.is_ascii_alphabetic())
                    && !functions::NAMES.contains(&name)
                    && !STANDARD.contains(&name)
                {
                    return Err(format!(
                        "{place}: there is no function {name}; there are {}",
                        functions::NAMES.join(", ")
                    ));
                }
                call.target.iter_mut().try_for_each(|target| self.visit(target, depth + 1))?;
                call.args.iter_mut().try_for_each(|argument| self.visit(argument, depth + 1))?;
                flag_operands(call);
                Ok(())
            }
            Expr::Map(_) | Expr::Struct(_) | Expr::Comprehension(_) => {
                Err(format!("{place}: maps and loops are not for expressions of a roster"))
            }
        }
    }
}

/// `row.column` or `row["column"]`.
fn column_of(node: &IdedExpr) -> Option<&str> {
    let is_row = |node: &IdedExpr| matches!(&node.expr, Expr::Ident(name) if name == "row");
    match &node.expr {
        Expr::Select(select) if is_row(&select.operand) && !select.test => Some(&select.field),
        Expr::Call(call) if call.func_name == operators::INDEX => match call.args.as_slice() {
            [row, IdedExpr { expr: Expr::Literal(LiteralValue::String(name)), .. }] if is_row(row) => {
                Some(name.inner())
            }
            _ => None,
        },
        _ => None,
    }
}

/// Exports write `True` and `false` as text: where only yes or no makes sense, a column is read as such.
fn flag_operands(call: &mut CallExpr) {
    let is_bool = |node: &IdedExpr| matches!(node.expr, Expr::Literal(LiteralValue::Boolean(_)));
    match call.func_name.as_str() {
        operators::LOGICAL_NOT | operators::LOGICAL_AND | operators::LOGICAL_OR => {
            call.args.iter_mut().for_each(flagged);
        }
        operators::CONDITIONAL => call.args.iter_mut().take(1).for_each(flagged),
        operators::EQUALS | operators::NOT_EQUALS if call.args.iter().any(is_bool) => {
            call.args.iter_mut().for_each(flagged);
        }
        _ => {}
    }
}

fn flagged(node: &mut IdedExpr) {
    read_by(functions::FLAG, node);
}

fn read_by(function: &str, node: &mut IdedExpr) {
    if column_of(node).is_some() {
        let column = std::mem::take(node);
        let id = column.id;
        node.id = id;
        node.expr = Expr::Call(CallExpr { func_name: function.to_owned(), target: None, args: vec![column] });
    }
}

/// A value of a row as CEL has it.
fn cel_value(value: &serde_json::Value) -> Value {
    use serde_json::Value as Json;
    match value {
        Json::Null => Value::Null,
        Json::Bool(known) => Value::Bool(*known),
        Json::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => Value::Int(number),
            (None, Some(number)) => Value::UInt(number),
            (None, None) => Value::Float(number.as_f64().unwrap_or_default()),
        },
        Json::String(text) => Value::String(Arc::new(text.clone())),
        Json::Array(list) => Value::List(Arc::new(list.iter().map(cel_value).collect())),
        Json::Object(map) => {
            let entries = map.iter().map(|(key, value)| (Key::String(Arc::new(key.clone())), cel_value(value)));
            Value::Map(Map { map: Arc::new(entries.collect()) })
        }
    }
}
