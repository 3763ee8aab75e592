/**
 * A Babel plugin that puts the values of constant objects where they are used: `LAPIC.EOI` becomes 176. Register maps and tables of numbers
 * are written as objects, and in the engine each look into one costs a hundred instructions. It takes the literals of objects
 * that are never assigned to and whose properties are never written. Inside functions these are also objects that go nowhere else: what gets
 * one as an argument may write to it. At module level there is no mutable state.
 */
import type { NodePath, PluginObj, types as BabelTypes } from '@babel/core';

type Types = typeof BabelTypes;
type Literal = BabelTypes.NumericLiteral | BabelTypes.StringLiteral | BabelTypes.BooleanLiteral | BabelTypes.UnaryExpression;

/** What a property's value is if it is a number (with a sign, perhaps), a short text or a truth value. */
function literalOf(types: Types, node: BabelTypes.Node | null | undefined): Literal | undefined {
  if (types.isNumericLiteral(node) || types.isStringLiteral(node) || types.isBooleanLiteral(node)) return node;
  if (types.isUnaryExpression(node, { operator: '-' }) && types.isNumericLiteral(node.argument)) return node;
  return undefined;
}

/** The properties of an object that are literals, by name. */
function constantsOf(types: Types, node: BabelTypes.Node | null | undefined): Map<string, Literal> | undefined {
  if (!types.isObjectExpression(node)) return undefined;
  const constants = new Map<string, Literal>();
  for (const property of node.properties) {
    // What is spread into it may have any name.
    if (types.isSpreadElement(property)) return undefined;
    if (!types.isObjectProperty(property) || property.computed || !types.isIdentifier(property.key)) continue;
    const literal = literalOf(types, property.value);
    if (literal) constants.set(property.key.name, literal);
  }
  return constants;
}

/** Whether a use of the object may change it or one of its properties. */
function isWritten(types: Types, use: NodePath): boolean {
  const access = use.parentPath;
  if (!access?.isMemberExpression() || access.node.object !== use.node) return false;
  const parent = access.parent;
  return (
    (types.isAssignmentExpression(parent) && parent.left === access.node) ||
    types.isUpdateExpression(parent) ||
    types.isUnaryExpression(parent, { operator: 'delete' })
  );
}

/** Whether the object itself is used, not only its properties by name. */
function escapes(use: NodePath): boolean {
  const access = use.parentPath;
  return !access?.isMemberExpression() || access.node.object !== use.node || access.node.computed;
}

/** Of a module: at the top, or in the one function that esbuild puts around all modules. */
function isModuleLevel(types: Types, { scope }: NodePath): boolean {
  const around = scope.getFunctionParent();
  if (!around) return true;
  const isCalledHere = types.isCallExpression(around.path.parent) && around.path.parent.callee === around.path.node;
  return isCalledHere && around.parent.getFunctionParent() === null;
}

export function inlineConstants({ types }: { readonly types: Types }): PluginObj {
  return {
    visitor: {
      VariableDeclarator(path) {
        const { id, init } = path.node;
        if (!types.isIdentifier(id)) return;
        const constants = constantsOf(types, init);
        const binding = path.scope.getBinding(id.name);
        if (!constants || !binding?.constant || binding.referencePaths.some((use) => isWritten(types, use))) return;
        if (!isModuleLevel(types, path) && binding.referencePaths.some(escapes)) return;
        for (const use of binding.referencePaths) {
          const access = use.parentPath;
          if (!access?.isMemberExpression() || access.node.object !== use.node || access.node.computed) continue;
          const { property } = access.node;
          const literal = types.isIdentifier(property) ? constants.get(property.name) : undefined;
          if (literal) access.replaceWith(types.cloneNode(literal));
        }
      },
    },
  };
}
