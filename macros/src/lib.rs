//! The attribute `#[sglab::test]`; use it from the crate `sglab`. Also the derive `Shape`, by which `sglab` reads, describes and writes the types of
//! its topology file.
//!
//! It reads a function no further than it must, so that whatever is wrong in the body is told where it stands.

mod shape;

use proc_macro::{Delimiter, Group, Ident, Literal, Punct, Spacing, Span, TokenStream, TokenTree};

/// A test that runs inside a lab's sandbox, in a process of its own.
///
/// It goes above an `async fn` without arguments that gives back nothing or a `Result` whose error has `Debug`. The test
/// is run by starting the test's executable anew for it alone, inside of a sandbox; what it prints and how it ends is passed
/// on. Other attributes (`#[ignore]`, `#[should_panic]`, `#[cfg(...)]`) keep their meaning.
///
/// `#[sglab::test(timeout = 30)]` ends a test that still runs after so many seconds, and fails it.
///
/// ```ignore
/// #[sglab::test]
/// async fn the_database_is_closed_to_strangers() -> Result<(), sglab::testing::Error> {
///     let lab = sglab::testing::Lab::boot(&cloud()).await?;
///     lab.probe("office -> db1:3306").await?.assert_dropped().at_ingress();
///     Ok(())
/// }
/// ```
#[proc_macro_attribute]
pub fn test(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let item: Vec<TokenTree> = item.into_iter().collect();
    let made = timeout(arguments).and_then(|timeout| rewrite(&item, timeout));
    // What cannot be a test is passed on beside the error, so that nothing else is said to be missing.
    made.unwrap_or_else(|fault| fault.into_error().into_iter().chain(item).collect())
}

/// For the types of a topology file, inside `sglab` alone: how each is read, described to editors and written.
#[doc(hidden)]
#[proc_macro_derive(Shape, attributes(shape))]
pub fn derive_shape(item: TokenStream) -> TokenStream {
    let made = shape::derive(item).and_then(|code| code.parse().map_err(|_| "this is no type of a file"));
    made.unwrap_or_else(|why| Fault(Span::call_site(), why).into_error())
}

/// What is wrong, and where.
struct Fault(Span, &'static str);

impl Fault {
    fn into_error(self) -> TokenStream {
        let message = TokenStream::from(TokenTree::Literal(Literal::string(self.1)));
        let tokens = path(&["core", "compile_error"]).into_iter().chain([
            punct('!'),
            TokenTree::Group(Group::new(Delimiter::Parenthesis, message)),
            punct(';'),
        ]);
        tokens
            .map(|mut token| {
                token.set_span(self.0);
                token
            })
            .collect()
    }
}

/// The seconds of `timeout = 30`; 0 if nothing is said.
fn timeout(arguments: TokenStream) -> Result<TokenTree, Fault> {
    const USAGE: &str = "`#[sglab::test]` takes nothing, or `timeout = SECONDS`";
    let arguments: Vec<TokenTree> = arguments.into_iter().collect();
    match arguments.as_slice() {
        [] => Ok(TokenTree::Literal(Literal::u64_suffixed(0))),
        [TokenTree::Ident(name), TokenTree::Punct(equals), seconds @ TokenTree::Literal(literal)]
            if name.to_string() == "timeout" && equals.as_char() == '=' =>
        {
            match literal.to_string().parse::<u64>() {
                Ok(1..) => Ok(seconds.clone()),
                _ => Err(Fault(literal.span(), "a whole number of seconds, at least 1")),
            }
        }
        [first, ..] => Err(Fault(first.span(), USAGE)),
    }
}

/// `#[test] fn name() { async fn name() { body } ::sglab::testing::run(module_path!(), "name", seconds, name) }`.
fn rewrite(item: &[TokenTree], timeout: TokenTree) -> Result<TokenStream, Fault> {
    let word = |token: &TokenTree, word: &str| matches!(token, TokenTree::Ident(ident) if ident.to_string() == word);
    let Some(function) = item.iter().position(|token| word(token, "fn")) else {
        return Err(Fault(Span::call_site(), "`#[sglab::test]` goes above a function"));
    };
    let (head, rest) = item.split_at(function);
    let Some(asynchronous) = head.iter().position(|token| word(token, "async")) else {
        return Err(Fault(rest[0].span(), "a test of `#[sglab::test]` is an `async fn`"));
    };
    let Some(TokenTree::Ident(name)) = rest.get(1) else {
        return Err(Fault(rest[0].span(), "a function with a name is expected here"));
    };
    match rest.get(2) {
        Some(TokenTree::Group(parameters)) if parameters.delimiter() == Delimiter::Parenthesis => {
            if !parameters.stream().is_empty() {
                return Err(Fault(parameters.span(), "a test takes no arguments"));
            }
        }
        Some(other) => return Err(Fault(other.span(), "a test is not generic")),
        None => return Err(Fault(name.span(), "a function is expected here")),
    }
    let span = name.span();
    // `r#async` is the test `async` for libtest too.
    let text = name.to_string();
    let text = text.strip_prefix("r#").unwrap_or(&text);

    let mut body: TokenStream = [ident("async", head[asynchronous].span())].into_iter().collect();
    body.extend(rest.iter().cloned());
    body.extend(path(&["sglab", "testing", "run"]));
    let mut arguments = path(&["core", "module_path"]);
    arguments.extend([punct('!'), TokenTree::Group(Group::new(Delimiter::Parenthesis, TokenStream::new()))]);
    arguments.extend([punct(','), TokenTree::Literal(Literal::string(text))]);
    arguments.extend([punct(','), timeout, punct(','), TokenTree::Ident(name.clone())]);
    body.extend([TokenTree::Group(Group::new(Delimiter::Parenthesis, arguments))]);

    let mut made = TokenStream::new();
    let test = path(&["core", "prelude", "v1", "test"]);
    made.extend([punct('#'), TokenTree::Group(Group::new(Delimiter::Bracket, test))]);
    made.extend(head[..asynchronous].iter().cloned());
    made.extend(head[asynchronous + 1..].iter().cloned());
    made.extend([ident("fn", span), TokenTree::Ident(name.clone())]);
    made.extend([TokenTree::Group(Group::new(Delimiter::Parenthesis, TokenStream::new()))]);
    made.extend([TokenTree::Group(Group::new(Delimiter::Brace, body))]);
    Ok(made)
}

fn ident(word: &str, span: Span) -> TokenTree {
    TokenTree::Ident(Ident::new(word, span))
}

fn punct(character: char) -> TokenTree {
    TokenTree::Punct(Punct::new(character, Spacing::Alone))
}

/// `::one::two`.
fn path(words: &[&str]) -> TokenStream {
    let step = |word: &&str| {
        [
            TokenTree::Punct(Punct::new(':', Spacing::Joint)),
            TokenTree::Punct(Punct::new(':', Spacing::Alone)),
            ident(word, Span::call_site()),
        ]
    };
    words.iter().flat_map(step).collect()
}
