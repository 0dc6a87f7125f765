use super::*;
use crate::job::{InputColumn, LayerEntry};

pub(super) fn model(layers: &str) -> Model {
    serde_json::from_str(&format!(r#"{{"layers": {layers}}}"#)).unwrap()
}

fn picture() -> Input {
    Input::plain(&[1, 28, 28], 10)
}

// Two numbers, a category of 4, a number, a category of 3.
pub(super) fn table() -> Input {
    let column = |name: &str, features, categories| InputColumn { name: name.into(), features, categories };
    let columns = vec![column("age", 1, 0), column("one_hot", 3, 0), column("job", 1, 4), column("hours", 1, 0), column("state", 1, 3)];
    Input { shape: vec![7], columns, classes: 2 }
}

fn nodes(layers: &str, input: &Input) -> Vec<String> {
    let describe = |node: &Node| format!("{} {:?} {:?}", node.shape.name, node.sources, node.shape.output);
    Graph::new(&model(layers), input).unwrap().nodes.iter().map(describe).collect()
}

fn refused(layers: &str, input: &Input) -> String {
    let error = Graph::new(&model(layers), input).unwrap_err();
    format!("{}: {error}", error.path)
}

#[test]
fn a_small_cnn_chains() {
    let layers = r#"[{"conv2d": {"filters": 32, "kernel": 3, "activation": "relu"}},
        {"conv2d": {"filters": 64, "kernel": [3, 3], "stride": 2, "padding": "same"}},
        {"max_pool2d": {"size": 2}}, {"flatten": {}}, {"dense": {"units": 10}}]"#;
    let graph = Graph::new(&model(layers), &picture()).unwrap();
    let outputs: Vec<_> = graph.nodes.iter().map(|node| node.shape.output.clone()).collect();
    assert_eq!(outputs, [vec![32, 26, 26], vec![64, 13, 13], vec![64, 6, 6], vec![2304], vec![10]]);
    assert_eq!(graph.nodes[4].shape.name, "dense_4");
    assert_eq!((graph.nodes[0].sources[0], graph.nodes[4].sources[0]), (Source::Features, Source::Node(3)));
}

#[test]
fn columns_are_seen_by_name_and_by_kind() {
    let layers = r#"[{"name": "a", "input": "numbers", "dense": {"units": 2}}, {"input": ["age", "hours"], "dense": {"units": 2}},
        {"input": ["a", "age", "dense_1"], "dense": {"units": 1}}]"#;
    let expected = [
        "a.input [Features] [5]",
        "a [Node(0)] [2]",
        "dense_1.input [Features] [2]",
        "dense_1 [Node(2)] [2]",
        "dense_2.input [Features] [1]",
        "dense_2.input [Node(1), Node(4), Node(3)] [5]",
        "dense_2 [Node(5)] [1]",
    ];
    assert_eq!(nodes(layers, &table()), expected);
    let graph = Graph::new(&model(layers), &table()).unwrap();
    assert_eq!(graph.nodes[0].operation, Operation::Select(vec![0..4, 5..6]));
}

#[test]
fn embeddings_see_categories() {
    let layers = r#"[{"name": "wide", "input": "categories", "embedding_bag": {"dim": 1}}, {"input": ["state", "job"], "embedding": {"dim": 2}},
        {"flatten": {}}, {"name": "deep", "dense": {"units": 1}}, {"input": ["wide", "deep"], "add": {}}]"#;
    let graph = Graph::new(&model(layers), &table()).unwrap();
    let seen: Vec<_> = graph.nodes.iter().map(|node| node.shape.categories.clone()).filter(|categories| !categories.is_empty()).collect();
    assert_eq!(seen, [[4, 3], [3, 4]]);
    assert_eq!(graph.output(), Some(&[1][..]));
    // A sequence of tokens needs no columns, and may be reshaped before.
    let layers = r#"[{"reshape": {"shape": [2, 2]}}, {"flatten": {}}, {"embedding": {"dim": 3, "vocabulary": 9}}]"#;
    assert_eq!(Graph::new(&model(layers), &Input::plain(&[4], 2)).unwrap().output(), Some(&[4, 3][..]));
}

#[test]
fn a_residual_adds_what_comes_in() {
    let layers =
        r#"[{"flatten": {}}, {"residual": {"layers": [{"dense": {"units": 9}}, {"dense": {"units": 784}}]}}, {"dense": {"units": 1}}]"#;
    let expected = [
        "flatten_0 [Features] [784]",
        "residual_1.dense_0 [Node(0)] [9]",
        "residual_1.dense_1 [Node(1)] [784]",
        "residual_1 [Node(0), Node(2)] [784]",
        "dense_2 [Node(3)] [1]",
    ];
    assert_eq!(nodes(layers, &picture()), expected);
    let names: Vec<_> = Graph::new(&model(layers), &picture()).unwrap().variables().map(|(name, ..)| name).collect();
    assert_eq!(names[..2], ["residual_1.dense_0/kernel", "residual_1.dense_0/bias"]);
}

#[test]
fn pictures_are_joined_by_channels() {
    let layers = r#"[{"name": "a", "input": "features", "conv2d": {"filters": 3, "kernel": 3, "padding": "same"}},
        {"name": "b", "input": "features", "conv2d": {"filters": 5, "kernel": 5, "padding": "same"}},
        {"input": ["a", "b"], "concatenate": {}}]"#;
    assert_eq!(nodes(layers, &picture())[2], "concatenate_2 [Node(0), Node(1)] [8, 28, 28]");
}

#[test]
fn what_does_not_fit_is_named() {
    let all = [
        (
            r#"[{"dense": {"units": 10}}]"#,
            picture(),
            "model.layers[0]: dense takes one dimension: put a flatten layer before it; its input is [1, 28, 28]",
        ),
        (
            r#"[{"max_pool2d": {"size": 29}}]"#,
            picture(),
            "model.layers[0]: max_pool2d has a window of 29, larger than its input of 28; its input is [1, 28, 28]",
        ),
        (r#"[{"dense": {"units": 1}}]"#, table(), "model.layers[0]: dense takes numbers, but sees columns of categories"),
        (
            r#"[{"dense": {"units": 4}}, {"embedding": {"dim": 2, "vocabulary": 9}}]"#,
            Input::plain(&[4], 2),
            "model.layers[1]: embedding takes features as they come",
        ),
        (
            r#"[{"input": "numbers", "embedding": {"dim": 2}}]"#,
            table(),
            "model.layers[0]: embedding does not know how many rows its table has",
        ),
        (
            r#"[{"input": "ages", "dense": {"units": 1}}]"#,
            table(),
            "model.layers[0]: dense sees \"ages\", which is neither a layer before it nor a column",
        ),
        (r#"[{"input": "numbers", "flatten": {}}]"#, picture(), "model.layers[0]: flatten sees \"numbers\", but the data have no columns"),
        (r#"[{"input": [], "flatten": {}}]"#, picture(), "model.layers[0]: flatten has an empty list of inputs"),
        (
            r#"[{"flatten": {}}, {"name": "flatten_0", "flatten": {}}]"#,
            picture(),
            "model.layers[1]: flatten is called \"flatten_0\", as another layer is",
        ),
        (
            r#"[{"flatten": {}}, {"input": "features", "flatten": {}}]"#,
            picture(),
            "model.layers[0]: flatten (\"flatten_0\") gives what nothing sees",
        ),
        (r#"[{"flatten": {}}, {"add": {}}]"#, picture(), "model.layers[1]: add needs several inputs"),
        (r#"[{"flatten": {}}, {"concatenate": {}}]"#, picture(), "model.layers[1]: concatenate needs several inputs"),
        (
            r#"[{"flatten": {}}, {"input": ["features", "flatten_0"], "add": {}}]"#,
            picture(),
            "model.layers[1]: add needs inputs of one shape, but sees [1, 28, 28] and [784]",
        ),
        (
            r#"[{"flatten": {}}, {"input": ["features", "flatten_0"], "concatenate": {}}]"#,
            picture(),
            "model.layers[1]: concatenate cannot see [[1, 28, 28], [784]] one behind the other",
        ),
        (
            r#"[{"flatten": {}}, {"residual": {"layers": [{"dense": {"units": 9}}]}}]"#,
            picture(),
            "model.layers[1]: residual gives [9]: its layers must give what comes in",
        ),
        (
            r#"[{"residual": {"layers": [{"dense": {"units": 9}}]}}]"#,
            picture(),
            "model.layers[0].residual.layers[0]: dense takes one dimension",
        ),
    ];
    for (layers, input, expected) in all {
        let found = refused(layers, &input);
        assert!(found.starts_with(expected), "{found}");
    }
}

#[test]
fn a_model_without_layers_has_no_nodes() {
    let none = Model { layers: Vec::<LayerEntry>::new(), ..model("[]") };
    assert_eq!(Graph::new(&none, &picture()).unwrap().output(), None);
}
