// @ts-nocheck
/** The seed's own Node code, as it stands there: services like these work on the same Redis. */
import crypto from "node:crypto";

export function seed(redis) {
// Create user profile
async function createUserProfile(userId, profile) {
await redis.hset(`user:${userId}`, {
username: profile.username,
email: profile.email,
first_name: profile.firstName,
last_name: profile.lastName,
joined: new Date().toISOString(),
avatar: profile.avatar || '',
verified: 'false',
bio: profile.bio || ''
});
}
// Get full profile
async function getUserProfile(userId) {
const profile = await redis.hgetall(`user:${userId}`);
if (!Object.keys(profile).length) return null;
return profile;
}
// Get specific fields
async function getUserEmail(userId) {
return await redis.hget(`user:${userId}`, 'email');
}
// Update specific fields
async function updateUserProfile(userId, updates) {
await redis.hset(`user:${userId}`, updates);
}
// Create product
async function createProduct(productId, product) {
await redis.hset(`product:${productId}`, {
name: product.name,
price: product.price.toString(),
stock: product.stock.toString(),
category: product.category,
sku: product.sku,
description: product.description,
rating: product.rating?.toString() || '0'
});
}
// Get product for display
async function getProduct(productId) {
const product = await redis.hgetall(`product:${productId}`);
if (!Object.keys(product).length) return null;
return {
...product,
price: parseFloat(product.price),
stock: parseInt(product.stock),
rating: parseFloat(product.rating)
};
}
// Purchase product (atomic stock decrease)
async function purchaseProduct(productId, quantity = 1) {
const stock = await redis.hget(`product:${productId}`, 'stock');
if (parseInt(stock) < quantity) {
throw new Error('Insufficient stock');
}
const newStock = await redis.hincrby(`product:${productId}`, 'stock', -quantity);
return { success: true, remainingStock: newStock };
}
// Apply discount
async function applyDiscount(productId, discountAmount) {
const newPrice = await redis.hincrbyfloat(`product:${productId}`, 'price', -discountAmount);
return { newPrice: parseFloat(newPrice) };
}
// Create session
async function createSession(userId, username, req) {
const sessionId = crypto.randomBytes(32).toString('hex');
const now = new Date().toISOString();
await redis.hset(`session:${sessionId}`, {
user_id: userId,
username: username,
login_time: now,
last_activity: now,
ip_address: req.ip,
user_agent: req.headers['user-agent']
});
await redis.expire(`session:${sessionId}`, 86400); // 24 hours
return sessionId;
}
// Validate and refresh session
async function validateSession(sessionId) {
const exists = await redis.hexists(`session:${sessionId}`, 'user_id');
if (!exists) return null;
// Update last activity and refresh TTL
await redis.hset(`session:${sessionId}`, 'last_activity', new Date().toISOString());
await redis.expire(`session:${sessionId}`, 86400);
return await redis.hgetall(`session:${sessionId}`);
}
// Destroy session
async function destroySession(sessionId) {
await redis.del(`session:${sessionId}`);
}
// Add item to cart
async function addToCart(userId, productId, quantity = 1) {
await redis.hincrby(`cart:user:${userId}`, `product:${productId}`, quantity);
await redis.expire(`cart:user:${userId}`, 86400 * 7); // Cart expires in 7 days
}
// Get cart contents
async function getCart(userId) {
const cart = await redis.hgetall(`cart:user:${userId}`);
return Object.entries(cart).map(([key, quantity]) => ({
productId: key.replace('product:', ''),
quantity: parseInt(quantity)
}));
}
// Update item quantity
async function updateCartItem(userId, productId, quantity) {
if (quantity <= 0) {
await redis.hdel(`cart:user:${userId}`, `product:${productId}`);
} else {
await redis.hset(`cart:user:${userId}`, `product:${productId}`, quantity);
}
}
// Remove item from cart
async function removeFromCart(userId, productId) {
await redis.hdel(`cart:user:${userId}`, `product:${productId}`);
}
// Clear cart
async function clearCart(userId) {
await redis.del(`cart:user:${userId}`);
}
return { createUserProfile, getUserProfile, getUserEmail, updateUserProfile, createProduct, getProduct, purchaseProduct, applyDiscount, createSession, validateSession, destroySession, addToCart, getCart, updateCartItem, removeFromCart, clearCart };
}
